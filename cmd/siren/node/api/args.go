package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/server"
)

// binaryKey is the only key of an object that stands for a binary value, which is in base64. placeholderKey is that of
// Socket.IO's own objects for the same, which nobody else may make.
const (
	binaryKey      = "$binary"
	placeholderKey = "_placeholder"
)

// arguments makes the arguments of an event from the array of them, which is valid JSON. Their numbers stay as they are.
// size is about what they take on the wire.
func arguments(array []byte) (args []any, size int, p *problem.Problem) {
	const path = "args"
	elements, deep := split(array)
	switch {
	case len(elements) > argsMax:
		return nil, 0, problem.Field(problem.BadField, path, fmt.Sprintf("it has more than %d entries", argsMax))
	case deep >= 0:
		return nil, 0, problem.Field(problem.BadField, fmt.Sprintf("%s[%d]", path, deep), fmt.Sprintf("it is nested deeper than %d levels", depthMax))
	}
	args = make([]any, len(elements))
	attachments := 0
	for i, e := range elements {
		raw := server.Raw{JSON: e}
		if special(e) {
			w := &rewriter{path: fmt.Sprintf("%s[%d]", path, i), most: attachmentsMax - attachments}
			if raw, p = w.rewrite(e); p != nil {
				return nil, 0, p
			}
			attachments += len(raw.Attachments)
		}
		size += len(raw.JSON) + 1
		for _, a := range raw.Attachments {
			size += len(a)
		}
		args[i] = raw
	}
	return args, size, nil
}

// special reports whether a value may hold one of the keys above. An escape could hide one.
func special(value []byte) bool {
	return bytes.Contains(value, []byte(binaryKey)) || bytes.Contains(value, []byte(placeholderKey)) ||
		bytes.Contains(value, []byte(`\u`))
}

// levelsOfEvent is how many levels of an event its arguments are in: the event's object and the array.
const levelsOfEvent = 2

// split returns the elements of an array of valid JSON, and the index of the first one that is nested too deep; -1 when
// there is none. It returns few elements more than are allowed.
func split(array []byte) (elements [][]byte, deep int) {
	depth, start, deep := 0, 1, -1
	for i := 0; i < len(array); i++ {
		switch array[i] {
		case '"':
			for i++; array[i] != '"'; i++ {
				if array[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			if depth++; deep < 0 && depth-1 > depthMax-levelsOfEvent {
				deep = len(elements)
			}
		case ',':
			if depth == 1 {
				elements = append(elements, bytes.TrimSpace(array[start:i]))
				start = i + 1
			}
		case ']', '}':
			if depth--; depth == 0 {
				if last := bytes.TrimSpace(array[start:i]); len(last) > 0 {
					elements = append(elements, last)
				}
			}
		}
		if len(elements) > argsMax {
			break
		}
	}
	return elements, deep
}

// rewriter makes placeholders and attachments of the binary values of one argument.
type rewriter struct {
	path        string
	most        int // attachments that are left
	out         []byte
	attachments [][]byte
}

// rewrite rewrites a value of valid JSON.
func (w *rewriter) rewrite(value []byte) (server.Raw, *problem.Problem) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(value))
	w.out = make([]byte, 0, len(value)+16)
	if p := w.value(dec, w.path); p != nil {
		return server.Raw{}, p
	}
	return server.Raw{JSON: w.out, Attachments: w.attachments}, nil
}

// value rewrites the next value. The JSON is valid: errors of the decoder cannot be.
func (w *rewriter) value(dec *jsontext.Decoder, path string) *problem.Problem {
	switch dec.PeekKind() {
	case '{':
		return w.object(dec, path)
	case '[':
		_, _ = dec.ReadToken()
		w.out = append(w.out, '[')
		for i := 0; dec.PeekKind() != ']'; i++ {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			if p := w.value(dec, path+"["+strconv.Itoa(i)+"]"); p != nil {
				return p
			}
		}
		_, _ = dec.ReadToken()
		w.out = append(w.out, ']')
	default:
		raw, _ := dec.ReadValue()
		w.out = append(w.out, raw...)
	}
	return nil
}

// object rewrites an object, which may stand for a binary value.
func (w *rewriter) object(dec *jsontext.Decoder, path string) *problem.Problem {
	_, _ = dec.ReadToken()
	begin, n, binary := len(w.out), 0, false
	w.out = append(w.out, '{')
	for ; dec.PeekKind() != '}'; n++ {
		raw, _ := dec.ReadValue()
		key := unquote(raw)
		if binary || key == binaryKey && n > 0 {
			return problem.Field(problem.BadField, path, "$binary has no other key beside it")
		}
		if key == binaryKey {
			binary = true
			if p := w.binary(dec, path); p != nil {
				return p
			}
			continue
		}
		if n > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(append(w.out, raw...), ':')
		if key == placeholderKey && dec.PeekKind() == 't' {
			return problem.Field(problem.BadField, path, "_placeholder is Socket.IO's own; use $binary")
		}
		if p := w.value(dec, path+"."+shorten(key)); p != nil {
			return p
		}
	}
	_, _ = dec.ReadToken()
	if !binary {
		w.out = append(w.out, '}')
		return nil
	}
	w.out = append(w.out[:begin], `{"_placeholder":true,"num":`...)
	w.out = append(strconv.AppendInt(w.out, int64(len(w.attachments)-1), 10), '}')
	return nil
}

// binary decodes the value of $binary: standard base64 with padding (RFC 4648, section 4).
func (w *rewriter) binary(dec *jsontext.Decoder, path string) *problem.Problem {
	raw, _ := dec.ReadValue()
	path += "." + binaryKey
	if raw.Kind() != '"' {
		return problem.Field(problem.BadField, path, "it has to be a string and is "+kindOf(raw))
	}
	s := unquote(raw)
	data, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || bytes.ContainsAny([]byte(s), "\r\n") {
		return problem.Field(problem.BadField, path, "it has to be standard base64 with padding")
	}
	if len(w.attachments) >= w.most {
		return problem.Field(problem.BadField, path, fmt.Sprintf("an event has at most %d binary values", attachmentsMax))
	}
	w.attachments = append(w.attachments, data)
	return nil
}
