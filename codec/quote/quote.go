// Package quote has the functions on JSON text that several codecs share. It writes strings as JavaScript's
// JSON.stringify does (only the quote, the backslash and control characters are escaped), and finds the ends of escapes
// and numbers. All functions are safe for concurrent use.
package quote

import (
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Bit patterns for looking at eight bytes at once.
const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

const hexDigits = "0123456789abcdef"

// replacement is U+FFFD. It replaces bytes that are not UTF-8, because JSON text must be UTF-8.
const replacement = "\uFFFD"

// Special returns a word that marks, in the high bit of each byte, the bytes of the little-endian word w that a JSON
// string must escape: control characters, the quote and the backslash (RFC 8259 section 7). Only the lowest mark is
// exact. Flipping bit 1 makes the quote (0x22) the neighbour of the control characters, so that one comparison finds
// both.
func Special(w uint64) uint64 {
	return (((w ^ eachByte*0x02) - eachByte*0x21) | ((w ^ eachByte*'\\') - eachByte)) &^ w & highBits
}

// Append appends s to dst as a JSON string. Each byte that is not UTF-8 becomes U+FFFD.
func Append(dst []byte, s string) []byte {
	begin := len(dst)
	dst = append(dst, '"')
	start, i := 0, 0
	checked := uint64(highBits) // bits that require a closer look at a word; 0 once s is known to be UTF-8
	for i < len(s) {
		for len(s)-i >= 32 {
			c := s[i : i+32]
			w0, w1, w2, w3 := loadWord(c), loadWord(c[8:]), loadWord(c[16:]), loadWord(c[24:])
			if Special(w0)|Special(w1)|Special(w2)|Special(w3)|(w0|w1|w2|w3)&checked != 0 {
				break
			}
			i += 32
		}
		if len(s)-i >= 8 {
			w := loadWord(s[i:])
			m := Special(w) | w&checked
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) >> 3
		} else if i == len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf && checked != 0 {
			if !utf8.ValidString(s[i:]) {
				return Append(dst[:begin], repaired(s))
			}
			checked = 0
		}
		i++
		if c < ' ' || c == '"' || c == '\\' {
			dst = AppendEscape(append(dst, s[start:i-1]...), c)
			start = i
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// AppendBytes is Append for text in a byte slice. It does not retain text.
func AppendBytes(dst, text []byte) []byte {
	return Append(dst, unsafe.String(unsafe.SliceData(text), len(text)))
}

// repaired returns s with each invalid byte replaced by U+FFFD.
func repaired(s string) string {
	var out strings.Builder
	out.Grow(len(s) + len(replacement))
	for _, r := range s {
		out.WriteRune(r)
	}
	return out.String()
}

// loadWord returns the first 8 bytes of s as a little-endian word.
func loadWord(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// AppendEscape appends the escape of a quote, a backslash or a control character.
func AppendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
