package sio

import (
	"fmt"
	"strconv"
)

// decodeAny decodes one value into the type that encoding/json puts into an any, or
// into []byte for a placeholder. The value must have been checked, including its
// depth, and must have no blanks around it.
func decodeAny(b []byte, attachments [][]byte) (any, error) {
	r := anyReader{text: b, attachments: attachments}
	return r.value()
}

// anyReader decodes JSON that has been checked, in one pass. Loop-owned.
type anyReader struct {
	text        []byte
	at          int
	attachments [][]byte
}

func (r *anyReader) space() { r.at = skipSpace(r.text, r.at) }

// value reads the value at r.at. The recursion is as deep as the value.
func (r *anyReader) value() (any, error) {
	start := r.at
	switch c := r.text[start]; c {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return r.string(), nil
	default:
		r.at = scanScalar(r.text, start)
		switch c {
		case 't':
			return true, nil
		case 'f':
			return false, nil
		case 'n':
			return nil, nil
		}
		f, err := strconv.ParseFloat(string(r.text[start:r.at]), 64)
		if err != nil {
			return nil, fmt.Errorf("number out of range: %w", strconv.ErrRange)
		}
		return f, nil
	}
}

func (r *anyReader) string() string {
	start := r.at
	r.at = scanString(r.text, start+1)
	return unquote(r.text[start:r.at])
}

func (r *anyReader) array() (any, error) {
	list := []any{}
	r.at++
	r.space()
	for r.text[r.at] != ']' {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		r.next()
	}
	r.at++
	return list, nil
}

func (r *anyReader) object() (any, error) {
	object := make(map[string]any)
	r.at++
	r.space()
	for r.text[r.at] != '}' {
		name := r.string()
		r.space()
		r.at++ // the colon
		r.space()
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		object[name] = v
		r.next()
	}
	r.at++
	if len(r.attachments) > 0 && object["_placeholder"] == true {
		return r.attachment(object)
	}
	return object, nil
}

// next skips the comma after an element, if there is one.
func (r *anyReader) next() {
	r.space()
	if r.text[r.at] == ',' {
		r.at++
		r.space()
	}
}

func (r *anyReader) attachment(placeholder map[string]any) (any, error) {
	f, ok := placeholder["num"].(float64)
	if !ok || f < 0 || f >= float64(len(r.attachments)) || f != float64(int(f)) {
		return nil, errNotPlaceholder
	}
	return r.attachments[int(f)], nil
}
