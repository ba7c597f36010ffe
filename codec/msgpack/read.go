package msgpack

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/seed58c87869/siren/codec/quote"
)

// First bytes of values (MessagePack specification).
const (
	fixMap   = 0x80
	fixArray = 0x90
	fixText  = 0xa0

	codeNil     = 0xc0
	codeFalse   = 0xc2
	codeTrue    = 0xc3
	codeBin8    = 0xc4
	codeExt8    = 0xc7
	codeFloat32 = 0xca
	codeFloat64 = 0xcb
	codeUint8   = 0xcc
	codeInt8    = 0xd0
	codeFixExt1 = 0xd4
	codeFixExt8 = 0xd7
	codeText8   = 0xd9
	codeArray16 = 0xdc
	codeMap16   = 0xde
	negative    = 0xe0
)

// valueKind is the kind of a value.
type valueKind uint8

const (
	kindNone valueKind = iota // no value begins with that byte, or there is none
	kindNil
	kindBool
	kindNumber
	kindText
	kindBinary
	kindArray
	kindMap
	kindExt
)

// kinds are the kinds of values by their first byte, from codeNil to below negative.
var kinds = [negative - codeNil]valueKind{
	kindNil, kindNone, kindBool, kindBool, kindBinary, kindBinary, kindBinary, kindExt, kindExt, kindExt,
	kindNumber, kindNumber, kindNumber, kindNumber, kindNumber, kindNumber, kindNumber, kindNumber, kindNumber, kindNumber,
	kindExt, kindExt, kindExt, kindExt, kindExt, kindText, kindText, kindText, kindArray, kindArray, kindMap, kindMap,
}

func kindOf(c byte) valueKind {
	switch {
	case c < fixMap || c >= negative:
		return kindNumber
	case c < fixArray:
		return kindMap
	case c < fixText:
		return kindArray
	case c < codeNil:
		return kindText
	}
	return kinds[c-codeNil]
}

// reader translates one message. It belongs to one call of Parse, or to a Decoder.
type reader struct {
	b           []byte
	at          int
	lim         Limits
	out         []byte // JSON
	attachments [][]byte
	bytes       int // sum of the attachments' sizes
	// lookalike: an object of the payload looks like a placeholder.
	lookalike bool
	// timestamps: extension type -1 is a timestamp. Immutable.
	timestamps bool
}

// peek returns the kind of the next value.
func (r *reader) peek() valueKind {
	if r.at == len(r.b) {
		return kindNone
	}
	return kindOf(r.b[r.at])
}

// left returns the number of remaining bytes.
func (r *reader) left() int { return len(r.b) - r.at }

// take consumes n bytes, which must be there.
func (r *reader) take(n int) []byte {
	b := r.b[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

// size reads the length of 1, 2 or 4 bytes after the first byte.
func (r *reader) size(width int) (int, error) {
	if r.left() < width {
		return 0, errShort
	}
	n := uint64(0)
	for _, c := range r.take(width) {
		n = n<<8 | uint64(c)
	}
	if n > math.MaxInt32 {
		return 0, errShort // no message is that long
	}
	return int(n), nil
}

// head reads the head of a text, binary value, array or map. It returns the kind and the length in bytes, elements or
// members, after checking that the message has room for that. For other kinds it consumes nothing.
func (r *reader) head() (n int, kind valueKind, err error) {
	if r.left() == 0 {
		return 0, kindNone, errShort
	}
	c := r.b[r.at]
	least := 1 // bytes that each of the n takes
	switch kind = kindOf(c); kind {
	case kindText:
		if r.at++; c < codeNil {
			n = int(c & 0x1f)
		} else {
			n, err = r.size(1 << (c - codeText8))
		}
	case kindBinary:
		r.at++
		n, err = r.size(1 << (c - codeBin8))
	case kindArray:
		if r.at++; c < fixText {
			n = int(c & 0x0f)
		} else {
			n, err = r.size(2 << (c - codeArray16))
		}
	case kindMap:
		least = 2
		if r.at++; c < fixArray {
			n = int(c & 0x0f)
		} else {
			n, err = r.size(2 << (c - codeMap16))
		}
	case kindNone:
		return 0, kind, errByte
	default:
		return 0, kind, nil
	}
	if err == nil && n > r.left()/least {
		err = errShort
	}
	return n, kind, err
}

// value translates one value to JSON. Arrays and maps may be nested depth deep.
func (r *reader) value(depth int) error {
	n, kind, err := r.head()
	if err != nil {
		return err
	}
	switch kind {
	case kindText:
		r.out = quote.AppendBytes(r.out, r.take(n))
	case kindBinary:
		return r.attach(r.take(n))
	case kindArray:
		return r.array(n, depth-1)
	case kindMap:
		return r.object(n, depth-1)
	case kindExt:
		return r.ext()
	case kindNumber:
		return r.jsonNumber()
	case kindNil:
		r.at++
		r.out = append(r.out, "null"...)
	default:
		r.out = strconv.AppendBool(r.out, r.b[r.at] == codeTrue)
		r.at++
	}
	return nil
}

// attach adds a copy of b to the attachments and writes its placeholder.
func (r *reader) attach(b []byte) error {
	if len(r.attachments) >= r.lim.Attachments {
		return errMany
	}
	if len(b) > r.lim.AttachmentBytes-r.bytes {
		return errLarge
	}
	r.bytes += len(b)
	r.out = append(r.out, placeholderHead...)
	r.out = strconv.AppendInt(r.out, int64(len(r.attachments)), 10)
	r.out = append(r.out, '}')
	r.attachments = append(r.attachments, append([]byte{}, b...))
	return nil
}

func (r *reader) array(n, depth int) error {
	if depth < 0 {
		return errDepth
	}
	r.out = append(r.out, '[')
	for i := range n {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		if err := r.value(depth); err != nil {
			return err
		}
	}
	r.out = append(r.out, ']')
	return nil
}

// object translates the members of a map.
func (r *reader) object(n, depth int) error {
	if depth < 0 {
		return errDepth
	}
	r.out = append(r.out, '{')
	first := len(r.out)
	lookalike := false
	for range n {
		start := len(r.out)
		if start > first {
			r.out = append(r.out, ',')
		}
		name := len(r.out)
		if err := r.name(); err != nil {
			return err
		}
		if r.undefined() {
			r.out = r.out[:start]
			continue
		}
		if string(r.out[name:]) == `"_placeholder"` {
			lookalike = r.left() > 0 && r.b[r.at] == codeTrue
		}
		r.out = append(r.out, ':')
		if err := r.value(depth); err != nil {
			return err
		}
	}
	r.out = append(r.out, '}')
	r.lookalike = r.lookalike || lookalike
	return nil
}

// name reads a member name and converts it to text as JavaScript does.
func (r *reader) name() error {
	n, kind, err := r.head()
	if err != nil {
		return err
	}
	switch kind {
	case kindText, kindBinary:
		r.out = quote.AppendBytes(r.out, r.take(n))
		return nil
	case kindNil, kindBool, kindNumber:
		r.out = append(r.out, '"')
		if kind == kindNumber {
			err = r.numberName()
		} else {
			err = r.value(0)
		}
		r.out = append(r.out, '"')
		return err
	case kindExt:
		if r.undefined() {
			r.out = append(r.out, `"undefined"`...)
			return nil
		}
	}
	return errName
}

// undefined consumes notepack's undefined if it comes next.
func (r *reader) undefined() bool {
	const size = 3
	if r.left() < size || r.b[r.at] != codeFixExt1 || r.b[r.at+1] != 0 {
		return false
	}
	r.at += size
	return true
}

// ext translates a value of an extension type.
func (r *reader) ext() error {
	c := r.b[r.at]
	if r.undefined() {
		r.out = append(r.out, "null"...)
		return nil
	}
	r.at++
	n, err := 1<<(c-codeFixExt1), error(nil)
	if c < codeFixExt1 {
		n, err = r.size(1 << (c - codeExt8))
	}
	if err != nil {
		return err
	}
	if r.left() < 1+n {
		return errShort
	}
	kind := int8(r.take(1)[0])
	data := r.take(n)
	switch {
	case kind == 0 && c < codeFixExt1:
		return r.attach(data)
	case kind == -1 && r.timestamps && r.timestamp(data):
		return nil
	case kind == 0 && c == codeFixExt8:
		r.out = appendDate(r.out, int64(binary.BigEndian.Uint64(data)))
		return nil
	}
	r.out = append(strconv.AppendInt(append(r.out, '['), int64(kind), 10), ',')
	if err := r.attach(data); err != nil {
		return err
	}
	r.out = append(r.out, ']')
	return nil
}
