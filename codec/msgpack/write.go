package msgpack

import (
	"fmt"
	"sync"
)

// writer translates one payload.
type writer struct {
	scanner
	at   int // in b
	open int // how many arrays and objects have begun
	out  []byte
}

// countsMax is the largest capacity of counts that a pooled writer keeps.
const countsMax = 4096

var writers = sync.Pool{New: func() any { return new(writer) }}

// release returns w to the pool without references to the payload.
func (w *writer) release() {
	counts := w.counts[:0]
	if cap(counts) > countsMax {
		counts = nil
	}
	*w = writer{scanner: scanner{counts: counts}}
	writers.Put(w)
}

// AppendValue appends the one JSON value in json, with attachments in place of its
// placeholders; see [Packet]. Errors wrap [ErrEncode]; the result is then dst unchanged.
func AppendValue(dst, json []byte, attachments [][]byte) ([]byte, error) {
	w := writers.Get().(*writer)
	defer w.release()
	w.b, w.attachments = json, attachments
	end, err := w.checkValue(0, depthMax)
	if err == nil && skipSpace(json, end) != len(json) {
		err = errNotJSON
	}
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	w.out = dst
	w.value()
	return w.out, nil
}

// value writes the value that begins at b[at], after blanks. It has been checked.
func (w *writer) value() {
	w.space()
	switch c := w.b[w.at]; c {
	case '{':
		if len(w.attachments) > 0 {
			if num, end := placeholder(w.b, w.at); end > 0 {
				w.at = end
				w.binary(w.attachments[num])
				return
			}
		}
		w.elements('}', fixMap, codeMap16)
	case '[':
		w.elements(']', fixArray, codeArray16)
	case '"':
		w.text()
	case 't':
		w.out = append(w.out, codeTrue)
		w.at += len("true")
	case 'f':
		w.out = append(w.out, codeFalse)
		w.at += len("false")
	case 'n':
		w.out = append(w.out, codeNil)
		w.at += len("null")
	default:
		start := w.at
		w.at, _ = w.checkNumber(start)
		w.out = appendNumber(w.out, w.b[start:w.at])
	}
}

func (w *writer) space() { w.at = skipSpace(w.b, w.at) }

// elements writes an array or object.
func (w *writer) elements(end, fix, code16 byte) {
	w.out = appendCount(w.out, fix, code16, w.counts[w.open])
	w.open++
	w.at++
	w.space()
	for w.b[w.at] != end {
		if end == '}' {
			w.text()
			w.space()
			w.at++ // the colon
		}
		w.value()
		w.space()
		if w.b[w.at] == ',' {
			w.at++
			w.space()
		}
	}
	w.at++
}

func (w *writer) text() {
	start := w.at + 1
	escaped := false
	for w.at = skipPlain(w.b, start); w.b[w.at] != '"'; w.at++ {
		switch {
		case w.b[w.at] == '\\':
			escaped = true
			w.at++
		case w.at&7 == 0:
			w.at = skipPlain(w.b, w.at+1) - 1
		}
	}
	w.out = appendUnquoted(w.out, w.b[start:w.at], escaped)
	w.at++
}

func (w *writer) binary(b []byte) {
	w.out = append(appendSize(w.out, codeBin8, len(b)), b...)
}
