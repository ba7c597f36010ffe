package api

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/server"
)

// appendString appends a JSON string. Invalid UTF-8, which names of rooms that clients chose may have, is replaced.
func appendString(dst []byte, s string) []byte {
	out, _ := jsontext.AppendQuote(dst, s)
	return out
}

// appendStrings appends a list of strings.
func appendStrings(dst []byte, all []string) []byte {
	dst = append(dst, '[')
	for i, s := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendRaw appends a value, with {"$binary":"BASE64"} where it has attachments; null when there is none.
func appendRaw(dst []byte, r server.Raw) []byte {
	switch {
	case len(r.JSON) == 0:
		return append(dst, "null"...)
	case len(r.Attachments) == 0:
		return append(dst, r.JSON...)
	}
	// What clients send is bounded otherwise, and was checked when it came.
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.JSON), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	begin := len(dst)
	dst, ok := appendBinary(dst, dec, r.Attachments)
	if !ok {
		return append(dst[:begin], "null"...)
	}
	return dst
}

// appendBinary appends the next value. It is false when there is none.
func appendBinary(dst []byte, dec *jsontext.Decoder, attachments [][]byte) ([]byte, bool) {
	open := dec.PeekKind()
	if open != '{' && open != '[' {
		raw, err := dec.ReadValue()
		return append(dst, raw...), err == nil
	}
	if _, err := dec.ReadToken(); err != nil {
		return dst, false
	}
	begin, ok := len(dst), true
	dst = append(dst, byte(open))
	n, marked, num := 0, false, -1
	for ; dec.PeekKind() != open+2; n++ { // the closing bracket
		if n > 0 {
			dst = append(dst, ',')
		}
		if open == '[' {
			if dst, ok = appendBinary(dst, dec, attachments); !ok {
				return dst, false
			}
			continue
		}
		raw, err := dec.ReadValue()
		if err != nil || raw.Kind() != '"' {
			return dst, false
		}
		key := unquote(raw)
		dst = append(append(dst, raw...), ':')
		value := len(dst)
		if dst, ok = appendBinary(dst, dec, attachments); !ok {
			return dst, false
		}
		switch key {
		case placeholderKey:
			marked = string(dst[value:]) == "true"
		case "num":
			if i, err := strconv.Atoi(string(dst[value:])); err == nil && i >= 0 && i < len(attachments) {
				num = i
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return dst, false
	}
	if marked && num >= 0 && n == 2 {
		dst = append(dst[:begin], `{"`+binaryKey+`":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, attachments[num])
		return append(dst, `"}`...), true
	}
	return append(dst, byte(open)+2), true
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }

func appendBool(dst []byte, b bool) []byte { return strconv.AppendBool(dst, b) }
