package wsframe

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"iter"
)

// acceptGUID is appended to the key before hashing, RFC 6455 section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const (
	// keyBytes is the length of Sec-WebSocket-Key: 16 bytes encoded in base64.
	keyBytes = 24
	// keyPadding ends every key, because 16 is one more than a multiple of 3.
	keyPadding = "=="
)

const (
	upgradeHead = "HTTP/1.1 101 Switching Protocols\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: "
	fieldSeparator = ": "
	lineEnd        = "\r\n"
)

// AcceptKey appends the Sec-WebSocket-Accept value for the key (RFC 6455 section
// 4.2.2): a SHA-1 sum as 28 base64 characters. It does not validate the key, see
// [ValidKey].
func AcceptKey(dst, key []byte) []byte {
	var room [keyBytes + len(acceptGUID)]byte
	text := append(append(room[:0], key...), acceptGUID...)
	sum := sha1.Sum(text)
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// ValidKey reports whether key is a valid Sec-WebSocket-Key: 24 base64 characters
// that decode to 16 bytes (RFC 6455 section 4.1). The four unused bits of the last
// character may have any value, because only the characters are hashed.
func ValidKey(key []byte) bool {
	if len(key) != keyBytes || string(key[keyBytes-len(keyPadding):]) != keyPadding {
		return false
	}
	for _, c := range key[:keyBytes-len(keyPadding)] {
		if !isAlphanumeric(c) && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// Protocols returns the subprotocols offered by the values of the
// Sec-WebSocket-Protocol fields, in the client's order of preference. ok is false
// if the values are malformed: an element is not a token or occurs twice (RFC 6455
// sections 4.1 and 11.3.4). The number of protocols is at most half the number of
// bytes of the values.
func Protocols(values iter.Seq[[]byte]) (offered []string, ok bool) {
	seen := map[string]bool{}
	for value := range values {
		for element := range bytes.SplitSeq(value, []byte(",")) {
			name := string(bytes.Trim(element, " \t"))
			if !isToken(name) || seen[name] {
				return nil, false
			}
			seen[name] = true
			offered = append(offered, name)
		}
	}
	return offered, true
}

// AppendUpgradeResponse appends the head of the response to an upgrade request
// (status 101), including the empty line at its end. The caller must have checked
// the key with [ValidKey].
//
// extra holds further header fields: name, value, name, value. Invalid fields are
// dropped, so that no value can end its line and start another one. A name must be
// a token (RFC 9110 section 5.6.2). A value must not contain control characters
// other than a tab. A last name without a value is dropped as well.
func AppendUpgradeResponse(dst, key []byte, extra ...string) []byte {
	dst = append(dst, upgradeHead...)
	dst = AcceptKey(dst, key)
	dst = append(dst, lineEnd...)
	for len(extra) >= 2 {
		name, value := extra[0], extra[1]
		extra = extra[2:]
		if !isToken(name) || !isFieldValue(value) {
			continue
		}
		dst = append(dst, name...)
		dst = append(dst, fieldSeparator...)
		dst = append(dst, value...)
		dst = append(dst, lineEnd...)
	}
	return append(dst, lineEnd...)
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && !isTokenMark(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenMark(c byte) bool {
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}

func isFieldValue(s string) bool {
	const del = 0x7f
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == del {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
