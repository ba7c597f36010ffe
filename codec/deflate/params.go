package deflate

import "strconv"

// Options is what a server is ready to do. Immutable. The zero value keeps no
// context for either side, and works with every size of window.
type Options struct {
	// ServerTakeover lets the server keep its context from one message to the next,
	// unless the client declines it. Then messages need a [Stream] each connection.
	ServerTakeover bool
	// ClientTakeover lets the client keep its context, which costs the server a
	// [Window] for each connection.
	ClientTakeover bool
	// ServerWindowBits is the largest window the server uses, 8 to 15; anything
	// else means 15.
	ServerWindowBits int
	// ClientWindowBits is the largest window a client may use whose context is kept,
	// 8 to 15; anything else means 15. A client that cannot be told so may not keep
	// its context. Without takeover there is nothing to limit.
	ClientWindowBits int
}

// Params is what was agreed on. Immutable.
type Params struct {
	// ServerTakeover and ClientTakeover: that side may use what it sent in earlier
	// messages.
	ServerTakeover, ClientTakeover bool
	// ServerWindowBits and ClientWindowBits are the largest windows that each side
	// uses, 8 to 15.
	ServerWindowBits, ClientWindowBits uint8
	// confirmServer: the client has asked for a size, which has to be confirmed.
	confirmServer bool
}

// Accept answers one Sec-WebSocket-Extensions field of a client, with the first
// offer in it that is possible: offers with parameters that are unknown, repeated
// or impossible are declined (RFC 7692 section 7.1). ok is false when none is
// left; the connection then goes on without compression. A request may have
// several such fields: they count as one list, so the first ok is the answer.
// The error is [ErrSyntax].
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
		// The rest of the list is read for its syntax.
		if !ok && string(name) == Extension && !o.bad {
			p, ok = opts.answer(&o), true
		}
	}
}

// answer is what a valid offer gets.
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

// Append appends the value of the Sec-WebSocket-Extensions field that tells the
// client. Everything is said that differs from what the client may assume.
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

// String is the same as a string.
func (p Params) String() string { return string(p.Append(nil)) }

func appendParameter(dst []byte, name string) []byte {
	return append(append(dst, "; "...), name...)
}

func appendBits(dst []byte, name string, bits uint8) []byte {
	return strconv.AppendUint(append(appendParameter(dst, name), '='), uint64(bits), 10)
}
