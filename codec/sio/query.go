package sio

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/seed58c87869/siren/codec/quote"
)

// AppendQuery appends the query that a client of protocol 3 has put behind a
// namespace ([Packet].Query) as the auth payload that it stands for: a JSON
// object of strings, or nothing when query is empty. It is decoded as browsers
// decode a form: '+' is a blank, an escape that is none stands for itself, what
// is not UTF-8 becomes U+FFFD, and of several values of a name the last counts.
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
	// Some of it is no escape: what is one is decoded, piece by piece.
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
