package session

import (
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
	// Addr is the peer's address.
	Addr netip.AddrPort
	// Time is when the request was handled.
	Time time.Time
}

// firstRequest is what a session keeps of it: a Handshake made when it is asked for. Immutable.
type firstRequest struct {
	head string
	addr netip.AddrPort
	nano int64
}

func newFirstRequest(head []byte, addr netip.AddrPort) firstRequest {
	return firstRequest{head: string(head), addr: addr, nano: time.Now().UnixNano()}
}

func (f *firstRequest) handshake() *Handshake {
	return &Handshake{head: f.head, Addr: f.addr, Time: time.Unix(0, f.nano)}
}

func (h *Handshake) request() *httpwire.Request {
	r := new(httpwire.Request)
	// The head was accepted once; it parses again.
	_ = httpwire.ParseHead([]byte(h.head), r)
	return r
}

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

// CrossDomain reports whether the request had an Origin header.
func (h *Handshake) CrossDomain() bool { return h.Header("Origin") != "" }

// Address is the peer's IP address without the port.
func (h *Handshake) Address() string {
	if !h.Addr.IsValid() {
		return ""
	}
	return h.Addr.Addr().Unmap().String()
}
