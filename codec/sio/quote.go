package sio

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// appendUnquoted appends the text of a checked JSON string. Lone surrogates and invalid
// UTF-8 become U+FFFD.
func appendUnquoted(dst, quoted []byte) []byte {
	dst, _ = jsontext.AppendUnquote(dst, quoted) // the only errors left are those that U+FFFD repairs
	return dst
}

// unquote returns the text of a checked JSON string.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	return string(appendUnquoted(make([]byte, 0, len(inner)), quoted))
}
