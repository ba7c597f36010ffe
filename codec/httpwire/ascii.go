package httpwire

import "encoding/binary"

// Character classes of RFC 9110 and RFC 3986, one bit each.
const (
	classToken  = 1 << iota // tchar: methods, field names
	classValue              // field-vchar, SP, HTAB and obs-text
	classTarget             // visible ASCII except '#': bytes of a request target
	classHost               // unreserved and sub-delims: a reg-name without percent escapes
	classHex                // HEXDIG in both cases
)

// class holds the classes of every byte.
var class = classes()

// lower maps ASCII capitals to small letters and all other bytes to themselves.
var lower = lowers()

func classes() (t [256]uint8) {
	mark := func(set string, bits uint8) {
		for i := range len(set) {
			t[set[i]] |= bits
		}
	}
	for c := range 256 {
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= classValue
		}
		if c > ' ' && c < 0x7f && c != '#' {
			t[c] |= classTarget
		}
	}
	mark("0123456789abcdefABCDEF", classHex)
	mark("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", classToken|classHost)
	mark("!#$%&'*+-.^_`|~", classToken)
	mark("-._~!$&'()*+,;=", classHost)
	return t
}

func lowers() (t [256]byte) {
	for c := range 256 {
		t[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			t[c] = byte(c) + 'a' - 'A'
		}
	}
	return t
}

// isToken reports whether b is a non-empty token.
func isToken[T []byte | string](b T) bool {
	for i := range len(b) {
		if class[b[i]]&classToken == 0 {
			return false
		}
	}
	return len(b) > 0
}

const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

// isValue reports whether v has no control characters except HTAB. It looks at eight bytes
// at once, because most bytes of a head belong to valid values.
func isValue(v []byte) bool {
	last := len(v) - 8
	if last < 0 {
		return allOf(v, classValue)
	}
	for i := 0; i < last; i += 8 {
		if !isValueWord(v[i : i+8]) {
			return false
		}
	}
	return isValueWord(v[last:])
}

// isValueWord is isValue for 8 bytes.
func isValueWord(v []byte) bool {
	w := binary.LittleEndian.Uint64(v)
	del := w ^ 0x7f*eachByte
	return ((w-' '*eachByte)&^w|(del-eachByte)&^del)&highBits == 0 || allOf(v, classValue)
}

// allOf reports whether every byte of b is in the class.
func allOf(b []byte, bits uint8) bool {
	for _, c := range b {
		if class[c]&bits == 0 {
			return false
		}
	}
	return true
}

// foldEqual compares ignoring ASCII case only: Unicode folding would treat the Kelvin sign
// as a k.
func foldEqual[T []byte | string](a T, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower[a[i]] != lower[b[i]] {
			return false
		}
	}
	return true
}

// trimOWS removes optional white space (SP and HTAB) from both ends.
func trimOWS(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// nextElement splits the first element off a comma-separated list. more is false if it was
// the last one. Elements may be empty.
func nextElement(list []byte) (element, rest []byte, more bool) {
	for i, c := range list {
		if c == ',' {
			return trimOWS(list[:i]), list[i+1:], true
		}
	}
	return trimOWS(list), nil, false
}

// unhex returns the value of a hexadecimal digit; c must be one.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower[c] - 'a' + 10
}
