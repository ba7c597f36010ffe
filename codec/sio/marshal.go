package sio

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/seed58c87869/siren/codec/quote"
)

// plainOptions are the rules of encoding/json without escaping for HTML and JavaScript.
var plainOptions = json.JoinOptions(
	jsonv1.DefaultOptionsV1(),
	jsontext.EscapeForHTML(false),
	jsontext.EscapeForJS(false),
)

// encoder is the state of one Append call on the slow path. It is pooled together with
// the functions that the JSON library calls for attachments, because these need access
// to the state and their caches take time to fill.
type encoder struct {
	attachments attachmentList
	names       []string // see appendMap
	buf         bytes.Buffer
	scratch     []byte

	// options to marshal with, by what the type can hold
	options [typeKinds][]json.Options
}

// namesMax is the largest capacity of names that a pooled encoder keeps.
const namesMax = 1024

var encoders = sync.Pool{New: func() any { return newEncoder() }}

func getEncoder() *encoder { return encoders.Get().(*encoder) }

// release returns e to the pool. The caller has taken the attachment list.
func (e *encoder) release() {
	e.attachments = attachmentList{}
	if cap(e.names) > namesMax {
		e.names = nil
	}
	clear(e.names[:cap(e.names)]) // keep nobody's strings alive
	e.names = e.names[:0]
	e.buf = bytes.Buffer{}
	encoders.Put(e)
}

func newEncoder() *encoder {
	e := new(encoder)
	special := json.JoinMarshalers(
		json.MarshalToFunc(e.marshalBytes),
		json.MarshalToFunc(e.marshalRaw),
		json.MarshalToFunc(marshalNumber),
		json.MarshalToFunc(e.marshalDynamic),
	)
	named := json.JoinMarshalers(special, json.MarshalToFunc(e.marshalNamed))
	e.options[plainType] = []json.Options{plainOptions}
	e.options[specialType] = []json.Options{plainOptions, json.WithMarshalers(special)}
	e.options[namedType] = []json.Options{plainOptions, json.WithMarshalers(named)}
	return e
}

// marshal appends a value by reflection. The library never calls appendValue, so this
// is the last level of our own recursion. The library's recursion ends at 10,000
// levels, or when it finds a cycle.
func (e *encoder) marshal(dst []byte, v any) ([]byte, error) {
	begin := len(dst)
	e.buf = *bytes.NewBuffer(dst)
	err := json.MarshalWrite(&e.buf, v, e.options[encodeKind(reflect.TypeOf(v))]...)
	out := e.buf.Bytes()
	e.buf = bytes.Buffer{}
	if err != nil {
		return out[:begin], err
	}
	return out, nil
}

func (e *encoder) marshalBytes(enc *jsontext.Encoder, b []byte) error {
	e.scratch = e.appendBytes(e.scratch[:0], b)
	return enc.WriteValue(e.scratch)
}

func (e *encoder) marshalRaw(enc *jsontext.Encoder, r Raw) error {
	out, err := e.appendRaw(e.scratch[:0], r)
	if err != nil {
		return err
	}
	if cap(out) <= scratchMax {
		e.scratch = out[:0]
	}
	return enc.WriteValue(out)
}

// scratchMax is the largest scratch buffer that a pooled encoder keeps.
const scratchMax = 4096

// marshalNumber writes the Number of encoding/json as a number; the library does not
// know the type.
func marshalNumber(enc *jsontext.Encoder, n stdjson.Number) error {
	if n == "" {
		n = "0"
	}
	if quote.ScanNumber([]byte(n), 0) != len(n) {
		return errNotNumber
	}
	return enc.WriteValue(jsontext.Value(n))
}

// marshalDynamic marshals the content of an interface value, whose type was unknown
// when the options were chosen.
func (e *encoder) marshalDynamic(enc *jsontext.Encoder, p *any) error {
	switch v := (*p).(type) {
	case nil, string, bool, int, float64, map[string]any, []any, []byte, Raw:
		return errors.ErrUnsupported // the library finds the right function
	default:
		t := reflect.TypeOf(v)
		if isByteSlice(t) && !marshalsItself(t) {
			return e.marshalBytes(enc, reflect.ValueOf(v).Bytes())
		}
		if encodeKind(t) == namedType {
			return json.MarshalEncode(enc, v, e.options[namedType]...)
		}
		return errors.ErrUnsupported
	}
}

// marshalNamed is called for every value of a type that contains named byte slices, and
// handles those.
func (e *encoder) marshalNamed(enc *jsontext.Encoder, p any) error {
	t := reflect.TypeOf(p).Elem()
	if !isByteSlice(t) || marshalsItself(t) {
		return errors.ErrUnsupported
	}
	return e.marshalBytes(enc, reflect.ValueOf(p).Elem().Bytes())
}
