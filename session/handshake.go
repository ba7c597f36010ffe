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
	// Addr is the peer's address.
	Addr netip.AddrPort
	// Time is when the request was handled.
	Time time.Time
}

// firstRequest is what a session keeps of it, packed into one string: the length of the peer's address in one byte, the
// address, the time, the packed head. There are very many, and hardly anybody asks. Immutable.
type firstRequest string

// firstRoom is what packing needs besides the head.
const firstRoom = 64

func newFirstRequest(head []byte, addr netip.AddrPort) firstRequest {
	var room [1024]byte
	b, err := addr.AppendBinary(append(room[:0], 0))
	if err != nil || len(b) > 1+firstRoom/2 {
		b = b[:1] // no address of ours is that long
	}
	b[0] = byte(len(b) - 1)
	b = binary.LittleEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
	return firstRequest(httpwire.AppendPacked(b, head))
}

func (f firstRequest) handshake() *Handshake {
	h := new(Handshake)
	if f == "" {
		return h
	}
	end := 1 + int(f[0])
	// What was packed here unpacks; an address that is none leaves the zero value.
	_ = h.Addr.UnmarshalBinary([]byte(f[1:end]))
	h.Time = time.Unix(0, int64(binary.LittleEndian.Uint64([]byte(f[end:end+8]))))
	h.head = string(httpwire.AppendUnpacked(nil, string(f[end+8:])))
	return h
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
