package eio

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/seed58c87869/siren/codec/quote"
)

// AppendJSONP appends to dst the script that passes a payload to the JSONP client's callback with that
// index: ___eio[0]("..."); . The payload becomes a JavaScript string that is safe in every engine
// (U+2028 and U+2029 are line ends in JavaScript but not in JSON) and inside an HTML page: "</" never
// appears. Bytes that are not UTF-8 become U+FFFD.
func AppendJSONP(dst []byte, index int, payload []byte) []byte {
	dst = append(dst, "___eio["...)
	dst = strconv.AppendInt(dst, int64(index), 10)
	dst = append(dst, `]("`...)
	dst = appendScriptText(dst, payload)
	return append(dst, `");`...)
}

// appendScriptText appends the text between the quotes.
func appendScriptText(dst, s []byte) []byte {
	from := 0 // s[from:i] needs no escape and is not appended yet
	for i := 0; i < len(s); {
		c, size := s[i], 1
		var escape string
		switch {
		case c >= utf8.RuneSelf:
			var r rune
			switch r, size = utf8.DecodeRune(s[i:]); {
			case r == utf8.RuneError && size == 1:
				escape = `\ufffd`
			case r == '\u2028':
				escape = `\u2028`
			case r == '\u2029':
				escape = `\u2029`
			}
		case c == '/' && i > 0 && s[i-1] == '<':
			escape = `\/`
		case c < ' ' || c == '"' || c == '\\':
			dst = quote.AppendEscape(append(dst, s[from:i]...), c)
			from = i + 1
		}
		if escape != "" {
			dst = append(append(dst, s[from:i]...), escape...)
			from = i + size
		}
		i += size
	}
	return append(dst, s[from:]...)
}

// ParseJSONP returns the payload of a JSONP client's POST, the field "d" of the form. It decodes in
// place, so the caller must own body, and the result is a view of it. The error is ErrForm if there is
// no such field. An invalid percent escape stands for itself.
//
// The client escapes line feeds besides the form's encoding, because browsers change them in forms: a
// line feed is sent as a backslash and an n, and a backslash before an n as two backslashes.
func ParseJSONP(body []byte) ([]byte, error) {
	for rest := body; len(rest) > 0; {
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte{'&'})
		if value, ok := bytes.CutPrefix(field, []byte("d=")); ok {
			value = value[:len(value):len(value)]
			return unescapeLines(unescapeForm(value)), nil
		}
	}
	return nil, ErrForm
}

// unescapeForm decodes a form's value in place.
func unescapeForm(b []byte) []byte {
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(b):
			high, low := hexValue(b[i+1]), hexValue(b[i+2])
			if high|low <= 0xf {
				c = high<<4 | low
				i += 2
			}
		}
		b[n] = c
		n++
	}
	return b[:n]
}

// hexValue returns the value of a hexadecimal digit, and more than 15 for other characters.
func hexValue(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'a' <= 5:
		return c - 'a' + 10
	case c-'A' <= 5:
		return c - 'A' + 10
	}
	return 0xff
}

// unescapeLines undoes the client's protection of line feeds in place.
func unescapeLines(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	n := 0
	for i := 0; i < len(b); {
		switch rest := b[i:]; {
		case len(rest) > 2 && rest[0] == '\\' && rest[1] == '\\' && rest[2] == 'n':
			b[n], b[n+1] = '\\', 'n'
			i, n = i+3, n+2
		case len(rest) > 1 && rest[0] == '\\' && rest[1] == 'n':
			b[n] = '\n'
			i, n = i+2, n+1
		default:
			b[n] = rest[0]
			i, n = i+1, n+1
		}
	}
	return b[:n]
}
