package msgpack

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seed58c87869/siren/codec/quote"
)

// skipPlain skips plain text from i on, eight bytes at a time.
func skipPlain(b []byte, i int) int {
	for len(b)-i >= 8 && quote.Special(binary.LittleEndian.Uint64(b[i:])) == 0 {
		i += 8
	}
	return i
}

// validText returns b as UTF-8, with each invalid byte replaced.
func validText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

// headText appends the head of a text of n bytes.
func headText(dst []byte, n int) []byte {
	if n < 0x20 {
		return append(dst, fixText|byte(n))
	}
	return appendSize(dst, codeText8, n)
}

// appendSize appends the shortest of three forms: a code and 8, 16 or 32 bits.
func appendSize(dst []byte, code byte, n int) []byte {
	switch {
	case n < 1<<8:
		return append(dst, code, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, code+1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, code+2), uint32(n))
}

func appendText(dst []byte, text string) []byte {
	return append(headText(dst, len(text)), text...)
}

// appendUnquoted appends the text between the quotes of a JSON string. escaped reports
// whether it has escapes.
func appendUnquoted(dst, inner []byte, escaped bool) []byte {
	if !escaped && utf8.Valid(inner) {
		return append(headText(dst, len(inner)), inner...)
	}
	// The length comes first. A separate pass computes it.
	size := 0
	for rest := inner; len(rest) > 0; {
		var r rune
		r, rest = nextRune(rest)
		size += utf8.RuneLen(r)
	}
	dst = headText(dst, size)
	for rest := inner; len(rest) > 0; {
		var r rune
		r, rest = nextRune(rest)
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// nextRune decodes the next character of a checked JSON string.
func nextRune(b []byte) (r rune, rest []byte) {
	if b[0] != '\\' {
		r, n := utf8.DecodeRune(b)
		return r, b[n:]
	}
	switch c := b[1]; c {
	case 'u':
		r, rest = hexRune(b), b[unicodeEscape:]
		if !utf16.IsSurrogate(r) {
			return r, rest
		}
		if len(rest) >= unicodeEscape && rest[0] == '\\' && rest[1] == 'u' {
			if pair := utf16.DecodeRune(r, hexRune(rest)); pair != utf8.RuneError {
				return pair, rest[unicodeEscape:]
			}
		}
		return utf8.RuneError, rest
	case 'b':
		r = '\b'
	case 'f':
		r = '\f'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 't':
		r = '\t'
	default:
		r = rune(c)
	}
	return r, b[2:]
}

// unicodeEscape is the length of \u0000.
const unicodeEscape = 6

func hexRune(b []byte) (r rune) {
	for _, c := range b[2:unicodeEscape] {
		r = r<<4 | rune(hexDigit(c))
	}
	return r
}

// hexDigit returns the value of a hexadecimal digit, or more than 15 for other bytes.
func hexDigit(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20-'a' <= 5:
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}
