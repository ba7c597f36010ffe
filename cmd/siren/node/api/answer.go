package api

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/cmd/siren/node/value"
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
	out, err := value.Append(dst, r)
	if err != nil { // of the application's own; what clients send was checked when it came
		return append(dst, "null"...)
	}
	return out
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }

func appendBool(dst []byte, b bool) []byte { return strconv.AppendBool(dst, b) }
