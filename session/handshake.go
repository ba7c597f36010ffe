package session

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Handshake is the first request of a session, stored as received and parsed on demand. It does not change when the
// transport is upgraded. Immutable, safe for concurrent use.
type Handshake struct {
	head string
	// Addr is the client's address: Peer, or the address that trusted proxies report in X-Forwarded-For, often without
	// a port (0). See Config.TrustedProxies. It is the zero AddrPort for a client of a unix socket.
	Addr netip.AddrPort
	// Peer is the address at the other end of the connection, or the one in a PROXY header.
	Peer netip.AddrPort
	// Time is the time at which the request was handled. Issued returns it as a number.
	Time time.Time

	secure bool
}

// firstRequest is a session's first request, packed into one string: one byte with the length of the peer's address and
// the bit firstSecure, the address, the time, and the packed head. It is compact because there are very many, and few
// are ever read. Immutable.
type firstRequest string

const (
	// firstRoom is the number of bytes that packing needs besides the head.
	firstRoom = 64
	// firstSecure is the bit of the first byte that marks a secure connection.
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

// Method returns the request's method.
func (h *Handshake) Method() string { return string(h.request().Method) }

// URL returns the request target as received.
func (h *Handshake) URL() string { return string(h.request().Target) }

// Header returns the first value of the header field with that name, case-insensitively, or "".
func (h *Handshake) Header(name string) string { return string(h.request().Get(name)) }

// Headers returns all header fields, with canonical names.
func (h *Handshake) Headers() http.Header {
	out := http.Header{}
	for _, f := range h.request().Fields {
		out.Add(string(f.Name), string(f.Value))
	}
	return out
}

// Query returns the decoded query. Invalid escapes stand for themselves, as in the reference.
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

// Data returns the handshake as plain values, with the auth payload given, as JSON.
func (h *Handshake) Data(auth []byte) eio.Handshake {
	return eio.Handshake{
		Headers: h.Headers(), Query: h.Query(), Auth: auth, Address: h.Address(), URL: h.URL(), Issued: h.Time,
		Secure: h.Secure(), CrossDomain: h.CrossDomain(),
	}
}

// MarshalJSON gives the handshake the form that socket.handshake has in the reference, without auth.
func (h *Handshake) MarshalJSON() ([]byte, error) { return h.Data(nil).MarshalJSON() }

// Issued returns Time in milliseconds since 1970, as handshake.issued in the reference.
func (h *Handshake) Issued() int64 { return h.Time.UnixMilli() }

// CrossDomain reports whether the request had an Origin header.
func (h *Handshake) CrossDomain() bool { return h.Header("Origin") != "" }

// Secure reports whether the client used TLS, according to the net/http server that serves the engine or to a trusted
// proxy's X-Forwarded-Proto.
func (h *Handshake) Secure() bool { return h.secure }

// Address returns the client's IP address without the port; "" for a client of a unix socket.
func (h *Handshake) Address() string {
	if !h.Addr.IsValid() {
		return ""
	}
	return h.Addr.Addr().Unmap().String()
}
