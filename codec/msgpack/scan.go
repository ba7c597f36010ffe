package msgpack

import (
	"bytes"
	"strconv"

	"github.com/seed58c87869/siren/codec/quote"
)

// placeholderHead precedes the number of an attachment, in the only spelling that this
// package accepts for placeholders.
const placeholderHead = `{"_placeholder":true,"num":`

// depthMax is the deepest nesting of a payload to encode: twice what package sio accepts,
// so that a value of that depth can be put into another one.
const depthMax = 20_010

// scanner checks JSON and counts the elements of its arrays and objects, because
// MessagePack writes the counts first.
type scanner struct {
	b           []byte
	attachments [][]byte
	// counts has the number of elements or members of each array and object, in the order
	// in which they begin.
	counts []uint32
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// placeholder parses the placeholder that begins at b[i]. end is 0 if there is none.
func placeholder(b []byte, i int) (num, end int) {
	if !bytes.HasPrefix(b[i:], []byte(placeholderHead)) {
		return 0, 0
	}
	start := i + len(placeholderHead)
	i = start
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == len(b) || b[i] != '}' || b[start] == '0' && i > start+1 {
		return 0, 0
	}
	num, err := strconv.Atoi(string(b[start:i]))
	if err != nil {
		return 0, 0
	}
	return num, i + 1
}

// checkValue checks the value that begins at b[i], after blanks, and returns its end.
func (s *scanner) checkValue(i, depth int) (int, error) {
	if i = skipSpace(s.b, i); i == len(s.b) {
		return 0, errNotJSON
	}
	switch c := s.b[i]; c {
	case '{', '[':
		if c == '{' && len(s.attachments) > 0 {
			if num, end := placeholder(s.b, i); end > 0 {
				if num >= len(s.attachments) {
					return 0, errNoAttachment
				}
				return end, nil
			}
		}
		if depth == 0 {
			return 0, errTooDeep
		}
		return s.checkContainer(i, depth-1)
	case '"':
		return s.checkText(i)
	case 't':
		return s.checkLiteral(i, "true")
	case 'f':
		return s.checkLiteral(i, "false")
	case 'n':
		return s.checkLiteral(i, "null")
	}
	return s.checkNumber(i)
}

func (s *scanner) checkLiteral(i int, text string) (int, error) {
	if !bytes.HasPrefix(s.b[i:], []byte(text)) {
		return 0, errNotJSON
	}
	return i + len(text), nil
}

// checkContainer checks an array or object.
func (s *scanner) checkContainer(i, depth int) (_ int, err error) {
	object := s.b[i] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	at := len(s.counts)
	s.counts = append(s.counts, 0)
	if i = skipSpace(s.b, i+1); i < len(s.b) && s.b[i] == end {
		return i + 1, nil
	}
	for {
		if object {
			if i = skipSpace(s.b, i); i == len(s.b) || s.b[i] != '"' {
				return 0, errNotJSON
			}
			if i, err = s.checkText(i); err != nil {
				return 0, err
			}
			if i = skipSpace(s.b, i); i == len(s.b) || s.b[i] != ':' {
				return 0, errNotJSON
			}
			i++
		}
		if i, err = s.checkValue(i, depth); err != nil {
			return 0, err
		}
		s.counts[at]++
		if i = skipSpace(s.b, i); i == len(s.b) {
			return 0, errNotJSON
		}
		if s.b[i] == end {
			return i + 1, nil
		}
		if s.b[i] != ',' {
			return 0, errNotJSON
		}
		i++
	}
}

// checkText checks a string.
func (s *scanner) checkText(i int) (int, error) {
	for i = skipPlain(s.b, i+1); i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			return i + 1, nil
		case c < ' ':
			return 0, errNotJSON
		case c == '\\':
			end := quote.ScanEscape(s.b, i+1)
			if end < 0 {
				return 0, errNotJSON
			}
			i = end - 1
		case i&7 == 0:
			i = skipPlain(s.b, i+1) - 1
		}
	}
	return 0, errNotJSON
}

// checkNumber checks a number.
func (s *scanner) checkNumber(i int) (int, error) {
	end := quote.ScanNumber(s.b, i)
	if end < 0 {
		return 0, errNotJSON
	}
	return end, nil
}
