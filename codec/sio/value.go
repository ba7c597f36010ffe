package sio

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/codec/quote"
)

var (
	errNotFinite = errors.New("not a finite number")
	errTooDeep   = errors.New("nested too deeply, or in a circle")
	errNotJSON   = errors.New("raw value is not JSON")
	errNotNumber = errors.New("json.Number is not a number")
)

// appendScalar appends values that need neither reflection nor attachments. For all others
// ok is false and dst unchanged.
func appendScalar(dst []byte, v any) (out []byte, ok bool) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), true
	case string:
		return quote.Append(dst, v), true
	case bool:
		return strconv.AppendBool(dst, v), true
	case int:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int64:
		return strconv.AppendInt(dst, v, 10), true
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), true
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint64:
		return strconv.AppendUint(dst, v, 10), true
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case float64:
		return appendFloat(dst, v, 64)
	case float32:
		return appendFloat(dst, float64(v), 32)
	}
	return dst, false
}

// Floats below and from these sizes on have an exponent, in JavaScript and in
// encoding/json.
const (
	exponentBelow = 1e-6
	exponentFrom  = 1e21
)

// appendFloat appends f in the form of JavaScript and encoding/json. ok is false if f has
// no JSON form.
func appendFloat(dst []byte, f float64, size int) (out []byte, ok bool) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return dst, false
	}
	low, high := exponentBelow, exponentFrom
	if size == 32 {
		low, high = float64(float32(low)), float64(float32(high))
	}
	if a := math.Abs(f); a != 0 && (a < low || a >= high) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, size)
		// "1e-07" is 1e-7.
		if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst, true
	}
	return strconv.AppendFloat(dst, f, 'f', -1, size), true
}

// appendValue appends any value. depth is the number of enclosing containers that this
// function has opened.
func (e *encoder) appendValue(dst []byte, v any, depth int) ([]byte, error) {
	if out, ok := appendScalar(dst, v); ok {
		return out, nil
	}
	if depth > MaxDepth {
		return dst, errTooDeep
	}
	switch v := v.(type) {
	case float64, float32:
		return dst, errNotFinite
	case []byte:
		return e.appendBytes(dst, v), nil
	case Raw:
		return e.appendRaw(dst, v)
	case *Raw:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return e.appendRaw(dst, *v)
	case json.RawMessage:
		return e.appendRaw(dst, Raw{JSON: v})
	case jsontext.Value:
		return e.appendRaw(dst, Raw{JSON: v})
	case map[string]any:
		return e.appendMap(dst, v, depth)
	case []any:
		return e.appendSlice(dst, v, depth)
	}
	if PlainError(v) {
		return append(quote.Append(append(dst, `{"message":`...), v.(error).Error()), '}'), nil
	}
	return e.marshal(dst, v)
}

// PlainError reports whether v is an error whose type says nothing of its JSON. It is written as an object with its
// text as the message, because its fields, if it has any, are seldom meant for a reader.
func PlainError(v any) bool {
	_, ok := v.(error)
	if !ok {
		return false
	}
	r := reflect.ValueOf(v)
	return !implementsAny(r.Type(), encodeMethods) && (r.Kind() != reflect.Pointer || !r.IsNil())
}

// appendBytes makes b an attachment and appends its placeholder.
func (e *encoder) appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	return appendPlaceholder(dst, e.attachments.add(b))
}

// appendRaw appends r with its attachments renumbered.
func (e *encoder) appendRaw(dst []byte, r Raw) ([]byte, error) {
	r.JSON = trimSpace(r.JSON)
	if len(r.JSON) == 0 {
		return append(dst, "null"...), nil
	}
	if len(r.Attachments) == 0 {
		if !Valid(r.JSON, MaxDepth) {
			return dst, errNotJSON
		}
		return appendUTF8(dst, r.JSON), nil
	}
	spans, end, err := r.placeholders()
	if err == errBadPlaceholder {
		return dst, errNotPlaceholder
	}
	if err != nil || end != len(r.JSON) {
		return dst, errNotJSON
	}
	from := 0
	for _, s := range spans {
		dst = appendUTF8(dst, r.JSON[from:s.start])
		b := r.Attachments[s.num]
		if b == nil {
			b = []byte{} // the placeholder says that it is no null
		}
		dst = e.appendBytes(dst, b)
		from = s.end
	}
	return appendUTF8(dst, r.JSON[from:]), nil
}

func trimSpace(b []byte) []byte {
	b = b[skipSpace(b, 0):]
	n := len(b)
	for n > 0 && (b[n-1] == ' ' || b[n-1] == '\n' || b[n-1] == '\r' || b[n-1] == '\t') {
		n--
	}
	return b[:n]
}

// appendUTF8 appends checked JSON, with U+FFFD for invalid UTF-8: a text frame with invalid
// UTF-8 would end the receivers' connections.
func appendUTF8(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}

func (e *encoder) appendSlice(dst []byte, list []any, depth int) (_ []byte, err error) {
	if list == nil {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = e.appendValue(dst, v, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (e *encoder) appendMap(dst []byte, m map[string]any, depth int) (_ []byte, err error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	// The names of all open maps share one stack.
	bottom := len(e.names)
	for name := range m {
		e.names = append(e.names, name)
	}
	slices.Sort(e.names[bottom:])
	dst = append(dst, '{')
	for i := range len(m) {
		if i > 0 {
			dst = append(dst, ',')
		}
		name := e.names[bottom+i]
		dst = append(quote.Append(dst, name), ':')
		if dst, err = e.appendValue(dst, m[name], depth+1); err != nil {
			return dst, err
		}
	}
	e.names = e.names[:bottom]
	return append(dst, '}'), nil
}
