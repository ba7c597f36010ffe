package sio

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/seed58c87869/siren/codec/quote"
)

// AppendQuery converts the query that a client of protocol 3 has appended to a
// namespace ([Packet].Query) to the auth payload that it represents, and appends that
// to dst: a JSON object of strings, or nothing if query is empty. The query is decoded
// as browsers decode a form: '+' is a blank, an invalid escape stands for itself,
// bytes that are not UTF-8 become U+FFFD, and the last of several values counts.
func AppendQuery(dst, query []byte) []byte {
	if len(query) == 0 {
		return dst
	}
	var names []string
	values := make(map[string]string)
	for pair := range bytes.SplitSeq(query, []byte{'&'}) {
		if len(pair) == 0 {
			continue
		}
		rawName, rawValue, _ := bytes.Cut(pair, []byte{'='})
		name := unescapeQuery(string(rawName))
		if _, known := values[name]; !known {
			names = append(names, name)
		}
		values[name] = unescapeQuery(string(rawValue))
	}
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(quote.Append(dst, name), ':')
		dst = quote.Append(dst, values[name])
	}
	return append(dst, '}')
}

// unescapeQuery decodes a name or a value.
func unescapeQuery(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	if decoded, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(decoded, "\ufffd")
	}
	// Some escapes are invalid: decode the valid ones one by one.
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				out = append(out, c...)
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			out = append(out, ' ')
		} else {
			out = append(out, s[i])
		}
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}
