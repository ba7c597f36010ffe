package deflate

import "strconv"

// Options are a server's settings for the negotiation. Immutable. The zero value keeps
// no context on either side and accepts every window size.
type Options struct {
	// ServerTakeover lets the server keep its context between messages unless the
	// client declines it. Each connection then needs a [Stream].
	ServerTakeover bool
	// ClientTakeover lets the client keep its context between messages. Each connection
	// then needs a [Window].
	ClientTakeover bool
	// ServerWindowBits is the largest window that the server uses, 8 to 15. Any other
	// value means 15.
	ServerWindowBits int
	// ClientWindowBits is the largest window of a client that keeps its context, 8 to
	// 15. Any other value means 15. A client that does not offer the parameter for the
	// limit may not keep its context. Without takeover there is no limit.
	ClientWindowBits int
}

// Params is the result of the negotiation. Immutable.
type Params struct {
	// ServerTakeover and ClientTakeover report whether that side may refer to its
	// earlier messages.
	ServerTakeover, ClientTakeover bool
	// ServerWindowBits and ClientWindowBits are the largest windows that each side may
	// use, 8 to 15.
	ServerWindowBits, ClientWindowBits uint8
	// confirmServer: the client requested a server window size, so the answer must include it.
	confirmServer bool
}

// Accept answers one Sec-WebSocket-Extensions field of a client with the first
// acceptable offer in it. Offers with unknown, repeated or invalid parameters are
// declined (RFC 7692 section 7.1). ok is false if no offer is acceptable; the
// connection then continues without compression. A request may have several such
// fields, which count as one list: use the first result with ok. The error is
// [ErrSyntax].
func Accept(header []byte, opts Options) (p Params, ok bool, err error) {
	l := list{header}
	for {
		var o offer
		name, err := l.next(&o)
		if err != nil {
			return Params{}, false, err
		}
		if name == nil {
			return p, ok, nil
		}
		// The rest of the list is only checked for its syntax.
		if !ok && string(name) == Extension && !o.bad {
			p, ok = opts.answer(&o), true
		}
	}
}

// answer returns the parameters for a valid offer.
func (s *Options) answer(o *offer) Params {
	p := Params{
		ServerTakeover:   s.ServerTakeover && !o.seen[seenServerNoTakeover],
		ClientTakeover:   s.ClientTakeover && !o.seen[seenClientNoTakeover],
		ServerWindowBits: windowBits(s.ServerWindowBits),
		ClientWindowBits: WindowBitsMax,
		confirmServer:    o.seen[seenServerBits],
	}
	if p.confirmServer {
		p.ServerWindowBits = min(p.ServerWindowBits, o.serverBits)
	}
	limit := uint8(WindowBitsMax)
	if p.ClientTakeover {
		limit = windowBits(s.ClientWindowBits)
	}
	if o.seen[seenClientBits] {
		p.ClientWindowBits = min(limit, o.clientBits)
	} else if limit < WindowBitsMax {
		// Only a client that offers the parameter understands it (section 7.1.2.2).
		p.ClientTakeover = false
	}
	return p
}

func windowBits(n int) uint8 {
	if n < WindowBitsMin || n > WindowBitsMax {
		return WindowBitsMax
	}
	return uint8(n)
}

// Append appends the value of the Sec-WebSocket-Extensions field of the response. It
// includes every parameter that differs from its default for the client.
func (p Params) Append(dst []byte) []byte {
	dst = append(dst, Extension...)
	if !p.ServerTakeover {
		dst = appendParameter(dst, serverNoTakeover)
	}
	if !p.ClientTakeover {
		dst = appendParameter(dst, clientNoTakeover)
	}
	if p.ServerWindowBits < WindowBitsMax || p.confirmServer {
		dst = appendBits(dst, serverWindowBits, p.ServerWindowBits)
	}
	if p.ClientWindowBits < WindowBitsMax {
		dst = appendBits(dst, clientWindowBits, p.ClientWindowBits)
	}
	return dst
}

// String returns the result of Append as a string.
func (p Params) String() string { return string(p.Append(nil)) }

func appendParameter(dst []byte, name string) []byte {
	return append(append(dst, "; "...), name...)
}

func appendBits(dst []byte, name string, bits uint8) []byte {
	return strconv.AppendUint(append(appendParameter(dst, name), '='), uint64(bits), 10)
}
