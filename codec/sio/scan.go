package sio

import (
	"encoding/binary"
	"math/bits"

	"github.com/seed58c87869/siren/codec/quote"
)

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanValue checks the JSON value that begins at b[i], without blanks around it, and
// returns its end. Containers may be nested maxDepth deep. It takes linear time and does
// not recurse. If found is not nil, it records the placeholders.
func scanValue(b []byte, i, maxDepth int, found *placeholders) (end int, err error) {
	if i < len(b) && (b[i] == '{' || b[i] == '[') {
		return scanContainer(b, i, maxDepth, found)
	}
	if end = scanScalar(b, i); end < 0 {
		return 0, errJSON
	}
	return end, nil
}

// Tokens that scanContainer expects next.
const (
	wantNext       = iota // a comma or the end of the container
	wantKey               // a name
	wantValue             // a value
	wantKeyOrEnd          // a name, or the end of an empty object
	wantValueOrEnd        // a value, or the end of an empty array
)

// levels records which open containers are objects, with a bit for each. The array holds
// the default depth; deeper levels use the heap.
type levels struct {
	near  [DefaultDepth / 64]uint64
	far   []uint64
	depth int
}

func (l *levels) push(object bool) {
	word, bit := l.depth/64, uint64(1)<<(l.depth%64)
	l.depth++
	w := &l.near[0]
	if word < len(l.near) {
		w = &l.near[word]
	} else {
		if word -= len(l.near); word == len(l.far) {
			l.far = append(l.far, 0)
		}
		w = &l.far[word]
	}
	if *w &^= bit; object {
		*w |= bit
	}
}

// pop closes the innermost container and reports whether the enclosing one is an object.
// It must not be called at depth 0.
func (l *levels) pop() (object bool) {
	l.depth--
	if l.depth == 0 {
		return false
	}
	word, bit := (l.depth-1)/64, uint64(1)<<((l.depth-1)%64)
	if word < len(l.near) {
		return l.near[word]&bit != 0
	}
	return l.far[word-len(l.near)]&bit != 0
}

// scanContainer is scanValue for arrays and objects.
func scanContainer(b []byte, i, maxDepth int, found *placeholders) (end int, err error) {
	var open levels
	object, want := false, wantValue
	for {
		if i = skipSpace(b, i); i >= len(b) {
			return 0, errJSON
		}
		c := b[i]
		switch {
		case (c == '}' && object || c == ']' && !object) && (want == wantNext || want >= wantKeyOrEnd):
			if object && found != nil {
				if err := found.close(i + 1); err != nil {
					return 0, err
				}
			}
			i++
			object, want = open.pop(), wantNext
			if open.depth == 0 {
				return i, nil
			}
		case want == wantNext:
			if c != ',' {
				return 0, errJSON
			}
			i++
			want = wantValue
			if object {
				want = wantKey
			}
		case want == wantKey || want == wantKeyOrEnd:
			start := i
			if c != '"' {
				return 0, errJSON
			}
			if i = scanString(b, i+1); i < 0 {
				return 0, errJSON
			}
			if found != nil {
				found.key(b[start:i])
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return 0, errJSON
			}
			i++
			want = wantValue
		case c == '{' || c == '[':
			if open.depth >= maxDepth {
				return 0, errDepth
			}
			object, want = c == '{', wantValueOrEnd
			if object {
				want = wantKeyOrEnd
			}
			open.push(object)
			if found != nil {
				found.open(i, object)
			}
			i++
		default:
			start := i
			if i = scanScalar(b, i); i < 0 {
				return 0, errJSON
			}
			if found != nil {
				found.scalar(b[start:i])
			}
			want = wantNext
		}
	}
}

// scanScalar returns the end of the string, number or literal that begins at b[i], or -1
// if there is none.
func scanScalar(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	word := ""
	switch b[i] {
	case '"':
		return scanString(b, i+1)
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	default:
		return quote.ScanNumber(b, i)
	}
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return -1
}

// scanString returns the index after the closing quote of the string whose first
// character is b[i], or -1 if it is malformed. UTF-8 is not checked.
func scanString(b []byte, i int) int {
	for {
		for len(b)-i >= 32 {
			c := b[i : i+32 : i+32]
			if quote.Special(binary.LittleEndian.Uint64(c))|quote.Special(binary.LittleEndian.Uint64(c[8:]))|
				quote.Special(binary.LittleEndian.Uint64(c[16:]))|quote.Special(binary.LittleEndian.Uint64(c[24:])) != 0 {
				break
			}
			i += 32
		}
		for len(b)-i >= 8 {
			if m := quote.Special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = quote.ScanEscape(b, i+1); i < 0 {
				return -1
			}
		case c < ' ':
			return -1
		default:
			i++
		}
	}
}
