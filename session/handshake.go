package session

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// Handshake is the first request of a session, kept as it was received and parsed when it is asked for. It stays the
// same when the transport is upgraded. Immutable, safe for concurrent use.
type Handshake struct {
	head string
	// Addr is the client's address: Peer, or the one that trusted proxies name in X-Forwarded-For, then often without a
	// port (0). See Config.TrustedProxies. It is the zero AddrPort for a client of a unix socket.
	Addr netip.AddrPort
	// Peer is the address at the other end of the connection, or the one that a PROXY header has told.
	Peer netip.AddrPort
	// Time is when the request was handled. Issued has it as a number.
	Time time.Time

	secure bool
}

// firstRequest is what a session keeps of it, packed into one string: the length of the peer's address in one byte, which also
// tells whether the connection is secure, the address, the time, the packed head. There are very many, and hardly
// anybody asks. Immutable.
type firstRequest string

const (
	// firstRoom is what packing needs besides the head.
	firstRoom = 64
	// firstSecure is the bit of the first byte that tells of a secure connection.
	firstSecure = 0x80
)

func newFirstRequest(head []byte, addr netip.AddrPort, secure bool) firstRequest {
	var room [1024]byte
	b, err := addr.AppendBinary(append(room[:0], 0))
	if err != nil || len(b) > 1+firstRoom/2 {
		b = b[:1] // no address of ours is that long
	}
	b[0] = byte(len(b) - 1)
	if secure {
		b[0] |= firstSecure
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
	return firstRequest(httpwire.AppendPacked(b, head))
}

func (f firstRequest) handshake(trusted []netip.Prefix) *Handshake {
	h := new(Handshake)
	if f == "" {
		return h
	}
	h.secure = f[0]&firstSecure != 0
	end := 1 + int(f[0]&^firstSecure)
	// What was packed here unpacks; an address that is none leaves the zero value.
	_ = h.Peer.UnmarshalBinary([]byte(f[1:end]))
	h.Time = time.Unix(0, int64(binary.LittleEndian.Uint64([]byte(f[end:end+8]))))
	h.head = string(httpwire.AppendUnpacked(nil, string(f[end+8:])))
	h.Addr = h.Peer
	if trusts(trusted, h.Peer.Addr()) {
		r := h.request()
		var hops int
		h.Addr, hops = forwardedFor(r, h.Peer, trusted)
		h.secure = forwardedSecure(r, hops, h.secure)
	}
	return h
}

func (h *Handshake) request() *httpwire.Request {
	r := new(httpwire.Request)
	// The head was accepted once; it parses again.
	_ = httpwire.ParseHead([]byte(h.head), r)
	return r
}

// Method is the request's method.
func (h *Handshake) Method() string { return string(h.request().Method) }

// URL is the request target as it was received.
func (h *Handshake) URL() string { return string(h.request().Target) }

// Header is the first value of the header field with that name, in any case, or "".
func (h *Handshake) Header(name string) string { return string(h.request().Get(name)) }

// Headers are all header fields, with canonical names.
func (h *Handshake) Headers() http.Header {
	out := http.Header{}
	for _, f := range h.request().Fields {
		out.Add(string(f.Name), string(f.Value))
	}
	return out
}

// Query is the decoded query. What cannot be decoded stands for itself, as with the reference.
func (h *Handshake) Query() url.Values {
	v := url.Values{}
	for pair := range strings.SplitSeq(string(h.request().RawQuery), "&") {
		if pair != "" {
			name, value, _ := strings.Cut(pair, "=")
			v.Add(unescape(name), unescape(value))
		}
	}
	return v
}

func unescape(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return strings.ReplaceAll(s, "+", " ")
}

// Issued is Time in milliseconds since 1970, as the reference's handshake.issued.
func (h *Handshake) Issued() int64 { return h.Time.UnixMilli() }

// CrossDomain reports whether the request had an Origin header.
func (h *Handshake) CrossDomain() bool { return h.Header("Origin") != "" }

// Secure reports whether the client has come by TLS: a net/http server that serves the engine says so, or a trusted proxy
// in X-Forwarded-Proto.
func (h *Handshake) Secure() bool { return h.secure }

// Address is the client's IP address without the port; "" for a client of a unix socket.
func (h *Handshake) Address() string {
	if !h.Addr.IsValid() {
		return ""
	}
	return h.Addr.Addr().Unmap().String()
}
