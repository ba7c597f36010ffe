package proxyproto

import (
	"bytes"
	"errors"
	"net/netip"
)

// HeaderBytesMax bounds the length of a header in bytes. Version 1 has at most 107. Version 2 allows 64 KiB; the limit
// is enough for TLVs such as a host name, a unique id or a certificate's subject. The protocol does not send whole
// certificates.
const HeaderBytesMax = 4096

// Header is the content of a PROXY header. Immutable. The addresses are the zero AddrPort if the header has none that
// replace the addresses of the connection: a health check (LOCAL), an unknown protocol, or unix sockets.
type Header struct {
	// Source is the client's address and Destination the address it connected to. IPv4 is never IPv6-mapped.
	Source, Destination netip.AddrPort
	// Version is 1 or 2.
	Version int
	// Local reports that the proxy opened the connection for itself (version 2, command LOCAL).
	Local bool
}

// Errors of Parse. The caller must close the connection after each of them.
var (
	// ErrNone reports that the connection does not begin with a header.
	ErrNone = errors.New("proxyproto: no PROXY header")
	// ErrTooLong reports a header longer than its version or HeaderBytesMax allows.
	ErrTooLong = errors.New("proxyproto: header too long")
	// ErrSyntax reports a malformed header.
	ErrSyntax = errors.New("proxyproto: malformed header")
	// ErrUnsupported reports a version, command, family or protocol that version 2 does not define for streams.
	ErrUnsupported = errors.New("proxyproto: unsupported version, command or address family")
)

var (
	prefix1 = []byte("PROXY ")
	prefix2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Parse reads the header at the start of data, which must hold all bytes received so far. It returns the header and its
// length n in bytes. If the header is incomplete, n is 0 and err is nil. Parse never looks beyond the header. It is
// safe for concurrent use.
func Parse(data []byte) (h Header, n int, err error) {
	switch {
	case begins(data, prefix1):
		return parse1(data)
	case begins(data, prefix2):
		return parse2(data)
	default:
		return Header{}, 0, ErrNone
	}
}

// begins reports whether data begins with prefix, or is itself a prefix of it.
func begins(data, prefix []byte) bool {
	n := min(len(data), len(prefix))
	return bytes.Equal(data[:n], prefix[:n])
}
