package deflate

import (
	"errors"
	"strconv"
)

// ErrSyntax reports a Sec-WebSocket-Extensions field that is not a list of extensions
// (RFC 6455 section 9.1). The opening handshake must then be refused.
var ErrSyntax = errors.New("deflate: malformed list of extensions")

// Extension is the name of the extension, RFC 7692 section 7.
const Extension = "permessage-deflate"

// Parameters of the extension, RFC 7692 section 7.1.
const (
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverWindowBits = "server_max_window_bits"
	clientWindowBits = "client_max_window_bits"
)

// Bounds of the window size, as a power of two of bytes.
const (
	WindowBitsMin = 8
	WindowBitsMax = 15
)

// offer is one offer of a client. The zero value requests nothing.
type offer struct {
	// seen marks the parameters of the offer.
	seen [4]bool
	// serverBits and clientBits are the values of the two window sizes. clientBits is
	// WindowBitsMax if the parameter has no value.
	serverBits, clientBits uint8
	// bad: a parameter is unknown, repeated or has an invalid value. Such an offer is
	// declined (RFC 7692 section 7.1).
	bad bool
}

// Indexes of offer.seen.
const (
	seenServerNoTakeover = iota
	seenClientNoTakeover
	seenServerBits
	seenClientBits
)

// take adds a parameter; hasValue distinguishes "name=" from "name".
func (o *offer) take(name, value []byte, hasValue bool) {
	var index int
	ok := true
	switch string(name) {
	case serverNoTakeover:
		index, ok = seenServerNoTakeover, !hasValue
	case clientNoTakeover:
		index, ok = seenClientNoTakeover, !hasValue
	case serverWindowBits:
		index = seenServerBits
		o.serverBits, ok = parseBits(value)
	case clientWindowBits:
		index = seenClientBits
		o.clientBits = WindowBitsMax
		if hasValue {
			o.clientBits, ok = parseBits(value)
		}
	default:
		o.bad = true
		return
	}
	o.bad = o.bad || !ok || o.seen[index]
	o.seen[index] = true
}

// parseBits parses a window size: a decimal number from 8 to 15 without leading zeros
// (RFC 7692 section 7.1.2).
func parseBits(value []byte) (uint8, bool) {
	if len(value) == 0 || len(value) > 2 || value[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(value), 10, 8)
	return uint8(n), err == nil && n >= WindowBitsMin && n <= WindowBitsMax
}

// list reads a list of extensions (RFC 6455 section 9.1). White space is allowed
// between any two of its parts.
type list struct {
	rest []byte
}

// next reads one extension and puts its parameters into o. name is nil at the end of
// the list. Empty elements are skipped (RFC 9110 section 5.6.1).
func (l *list) next(o *offer) (name []byte, err error) {
	*o = offer{}
	for l.skip(); l.eat(','); l.skip() {
	}
	if len(l.rest) == 0 {
		return nil, nil
	}
	if name = l.token(); name == nil {
		return nil, ErrSyntax
	}
	for l.skip(); l.eat(';'); l.skip() {
		if err := l.parameter(o); err != nil {
			return nil, err
		}
	}
	if len(l.rest) > 0 && l.rest[0] != ',' {
		return nil, ErrSyntax
	}
	return name, nil
}

func (l *list) parameter(o *offer) error {
	l.skip()
	name := l.token()
	if name == nil {
		return ErrSyntax
	}
	l.skip()
	if !l.eat('=') {
		o.take(name, nil, false)
		return nil
	}
	l.skip()
	value := l.value()
	if value == nil {
		return ErrSyntax
	}
	o.take(name, value, true)
	return nil
}

// value reads a token, or a quoted string that contains a token. It returns nil if
// there is neither.
func (l *list) value() []byte {
	if !l.eat('"') {
		return l.token()
	}
	var content []byte
	for len(l.rest) > 0 {
		c := l.rest[0]
		l.rest = l.rest[1:]
		if c == '"' {
			return content // nil if empty, because an empty string is not a token
		}
		if c == '\\' && len(l.rest) > 0 {
			c, l.rest = l.rest[0], l.rest[1:]
		}
		if !isTokenByte(c) {
			return nil
		}
		content = append(content, c)
	}
	return nil
}

// token reads the token at the start of the rest, or returns nil if there is none.
func (l *list) token() []byte {
	n := 0
	for n < len(l.rest) && isTokenByte(l.rest[n]) {
		n++
	}
	if n == 0 {
		return nil
	}
	t := l.rest[:n]
	l.rest = l.rest[n:]
	return t
}

func (l *list) eat(c byte) bool {
	if len(l.rest) == 0 || l.rest[0] != c {
		return false
	}
	l.rest = l.rest[1:]
	return true
}

func (l *list) skip() {
	for len(l.rest) > 0 && (l.rest[0] == ' ' || l.rest[0] == '\t') {
		l.rest = l.rest[1:]
	}
}

// isTokenByte reports whether c is allowed in a token (RFC 9110 section 5.6.2).
func isTokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}
