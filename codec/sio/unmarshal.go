package sio

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/codec/quote"
)

var (
	errNotPlaceholder = errors.New("object is no placeholder, or has no attachment")
	errNumberKind     = errors.New("value is not a number")
)

// Unmarshal decodes one argument into the value that dst points to. attachments are those
// of the packet that contains arg. Without attachments, objects that look like
// placeholders are ordinary objects.
//
// A placeholder is decoded into its attachment for a []byte, a named byte-slice type or
// an any, at any depth. A Raw gets the value undecoded. Otherwise the rules of
// encoding/json apply: numbers become float64 in an any (an error if out of range), the
// last of several equal keys counts, field names match regardless of case, and base64
// text is decoded into a []byte. Lone surrogates and invalid UTF-8 become U+FFFD.
//
// The result shares no memory with arg. Byte slices in it alias attachments, so
// placeholders with equal numbers share their bytes. Errors wrap [ErrDecode].
func Unmarshal(arg []byte, attachments [][]byte, dst any) error {
	arg = trimSpace(arg)
	if done, err := unmarshalFast(arg, attachments, dst); done || err != nil {
		return wrapDecode(err)
	}
	t := reflect.TypeOf(dst)
	if t == nil || t.Kind() != reflect.Pointer {
		return wrapDecode(json.Unmarshal(arg, dst, plainOptions)) // says what is wrong
	}
	kind := decodeKind(t.Elem())
	if kind == plainType {
		return wrapDecode(json.Unmarshal(arg, dst, plainOptions))
	}
	d := decoders.Get().(*decoder)
	d.attachments = attachments
	err := json.Unmarshal(arg, dst, d.options[kind]...)
	d.attachments = nil
	decoders.Put(d)
	return wrapDecode(err)
}

func wrapDecode(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrDecode, err)
}

// unmarshalFast handles common destinations without reflection. If done is false, *dst is
// unchanged and the library must decode the value, or report what does not fit.
func unmarshalFast(arg []byte, attachments [][]byte, dst any) (done bool, err error) {
	if len(arg) == 0 {
		return false, nil
	}
	switch dst := dst.(type) {
	case *string:
		if dst == nil || arg[0] != '"' || scanString(arg, 1) != len(arg) {
			return false, nil
		}
		*dst = unquote(arg)
		return true, nil
	case *[]byte:
		if dst == nil || arg[0] != '{' || len(attachments) == 0 {
			return false, nil
		}
		b, err := attachmentOf(arg, attachments)
		if err == nil {
			*dst = b
		}
		return err == nil, err
	case *Raw:
		if dst == nil || !Valid(arg, MaxDepth) {
			return false, nil
		}
		*dst = Raw{JSON: append([]byte(nil), arg...), Attachments: attachments}
		return true, nil
	case *any:
		// A pointer in the interface is decoded into, as in encoding/json.
		if dst == nil || *dst != nil && reflect.TypeOf(*dst).Kind() == reflect.Pointer || !Valid(arg, MaxDepth) {
			return false, nil
		}
		v, err := decodeAny(arg, attachments)
		if err == nil {
			*dst = v
		}
		return err == nil, err
	}
	return unmarshalNumber(arg, dst), nil
}

// unmarshalNumber is unmarshalFast for numbers and booleans.
func unmarshalNumber(arg []byte, dst any) (done bool) {
	switch dst := dst.(type) {
	case *int:
		return dst != nil && setInt(arg, strconv.IntSize, func(n int64) { *dst = int(n) })
	case *int64:
		return dst != nil && setInt(arg, 64, func(n int64) { *dst = n })
	case *float64:
		if dst == nil || arg[0] != '-' && arg[0]-'0' > 9 || quote.ScanNumber(arg, 0) != len(arg) {
			return false
		}
		f, err := strconv.ParseFloat(string(arg), 64)
		if err == nil {
			*dst = f
		}
		return err == nil
	case *bool:
		if dst == nil || string(arg) != "true" && string(arg) != "false" {
			return false
		}
		*dst = arg[0] == 't'
		return true
	}
	return false
}

func setInt(arg []byte, size int, set func(int64)) bool {
	if arg[0] != '-' && arg[0]-'0' > 9 || quote.ScanNumber(arg, 0) != len(arg) {
		return false
	}
	n, err := strconv.ParseInt(string(arg), 10, size)
	if err != nil {
		return false
	}
	set(n)
	return true
}

// attachmentOf returns the attachment that object refers to. object must be one whole
// object.
func attachmentOf(object []byte, attachments [][]byte) ([]byte, error) {
	found := placeholders{limit: len(attachments), collect: true}
	end, err := scanValue(object, 0, MaxDepth, &found)
	if err != nil || len(found.spans) == 0 || end != len(object) {
		return nil, errNotPlaceholder
	}
	s := found.spans[len(found.spans)-1]
	if s.start != 0 || s.end != len(object) {
		return nil, errNotPlaceholder
	}
	return attachments[s.num], nil
}

// decoder is the counterpart of encoder and pooled for the same reason.
type decoder struct {
	attachments [][]byte
	options     [typeKinds][]json.Options
}

var decoders = sync.Pool{New: func() any { return newDecoder() }}

func newDecoder() *decoder {
	d := new(decoder)
	special := json.JoinUnmarshalers(
		json.UnmarshalFromFunc(d.unmarshalBytes),
		json.UnmarshalFromFunc(d.unmarshalRaw),
		json.UnmarshalFromFunc(unmarshalJSONNumber),
		json.UnmarshalFromFunc(d.unmarshalAny),
	)
	named := json.JoinUnmarshalers(special, json.UnmarshalFromFunc(d.unmarshalNamed))
	d.options[specialType] = []json.Options{plainOptions, json.WithUnmarshalers(special)}
	d.options[namedType] = []json.Options{plainOptions, json.WithUnmarshalers(named)}
	return d
}

func (d *decoder) unmarshalBytes(dec *jsontext.Decoder, dst *[]byte) error {
	if dec.PeekKind() != jsontext.KindBeginObject || len(d.attachments) == 0 {
		return errors.ErrUnsupported // base64, null, or an error
	}
	object, err := dec.ReadValue()
	if err != nil {
		return err
	}
	b, err := attachmentOf(object, d.attachments)
	if err == nil {
		*dst = b
	}
	return err
}

func (d *decoder) unmarshalRaw(dec *jsontext.Decoder, dst *Raw) error {
	value, err := dec.ReadValue()
	if err == nil {
		*dst = Raw{JSON: value.Clone(), Attachments: d.attachments}
	}
	return err
}

func (d *decoder) unmarshalAny(dec *jsontext.Decoder, dst *any) error {
	if *dst != nil && reflect.TypeOf(*dst).Kind() == reflect.Pointer {
		return errors.ErrUnsupported
	}
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	v, err := decodeAny(value, d.attachments)
	if err == nil {
		*dst = v
	}
	return err
}

// unmarshalJSONNumber decodes into the Number of encoding/json, which the library does not
// know.
func unmarshalJSONNumber(dec *jsontext.Decoder, dst *stdjson.Number) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case jsontext.KindNull:
		return nil
	case jsontext.KindString: // encoding/json takes numbers in quotes too
		value = value[1 : len(value)-1]
		if len(value) == 0 || quote.ScanNumber(value, 0) != len(value) {
			return errNumberKind
		}
	case jsontext.KindNumber:
	default:
		return errNumberKind
	}
	*dst = stdjson.Number(value)
	return nil
}

// unmarshalNamed is called for every value of a type that contains named byte slices, and
// handles those.
func (d *decoder) unmarshalNamed(dec *jsontext.Decoder, dst any) error {
	t := reflect.TypeOf(dst).Elem()
	if !isByteSlice(t) || unmarshalsItself(t) {
		return errors.ErrUnsupported
	}
	var b []byte
	if err := d.unmarshalBytes(dec, &b); err != nil {
		return err
	}
	reflect.ValueOf(dst).Elem().SetBytes(b)
	return nil
}
