package sio

import (
	"bytes"
	"math/bits"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string, spelled as JSON.stringify does:
// only the quote, the backslash and control characters are escaped.
// Invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	begin := len(dst)
	dst = append(dst, '"')
	start, i := 0, 0
	checked := uint64(highBits) // bits that make a word worth a look; 0 once s is known as UTF-8
	for i < len(s) {
		for len(s)-i >= 32 {
			c := s[i : i+32]
			w0, w1, w2, w3 := loadWord(c), loadWord(c[8:]), loadWord(c[16:]), loadWord(c[24:])
			if plainEnd(w0)|plainEnd(w1)|plainEnd(w2)|plainEnd(w3)|(w0|w1|w2|w3)&checked != 0 {
				break
			}
			i += 32
		}
		if len(s)-i >= 8 {
			w := loadWord(s[i:])
			m := plainEnd(w) | w&checked
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
				dst, _ = jsontext.AppendQuote(dst[:begin], s) // replaces what is invalid
				return dst
			}
			checked = 0
		}
		i++
		if c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[start:i-1]...)
			dst = appendEscape(dst, c)
			start = i
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// loadWord reads the first 8 bytes of s as a little-endian word.
func loadWord(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func appendEscape(dst []byte, c byte) []byte {
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

// appendUnquoted appends the text of a JSON string that has been checked. Lone
// surrogates and invalid UTF-8 become U+FFFD.
func appendUnquoted(dst, quoted []byte) []byte {
	dst, _ = jsontext.AppendUnquote(dst, quoted) // the only errors left are those that U+FFFD repairs
	return dst
}

// unquote returns the text of a JSON string that has been checked.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	return string(appendUnquoted(make([]byte, 0, len(inner)), quoted))
}
