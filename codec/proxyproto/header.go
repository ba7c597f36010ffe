package proxyproto

import (
	"bytes"
	"errors"
	"net/netip"
)

// HeaderBytesMax bounds a header, in bytes. Version 1 has at most 107. Of version 2, whose length field allows for 64 KiB,
// it takes what TLVs such as a host name, a unique id and a certificate's subject need and more; certificates
// as a whole are not meant for it.
const HeaderBytesMax = 4096

// Header is what a proxy says about a connection. Immutable. The addresses are the zero AddrPort when it says nothing that
// would replace those of the connection: a health check (LOCAL), an unknown protocol, or unix sockets.
type Header struct {
	// Source is the client's address, IPv4 never as IPv6-mapped; Destination is what the client has connected to.
	Source, Destination netip.AddrPort
	// Version is 1 or 2.
	Version int
	// Local tells that the proxy made the connection for itself (version 2, command LOCAL).
	Local bool
}

// Errors of Parse. After each the connection is to be closed.
var (
	// ErrNone: the connection does not begin with a header.
	ErrNone = errors.New("proxyproto: no PROXY header")
	// ErrTooLong: the header is longer than its version or HeaderBytesMax allow.
	ErrTooLong = errors.New("proxyproto: header too long")
	// ErrSyntax: the header is not well-formed.
	ErrSyntax = errors.New("proxyproto: malformed header")
	// ErrUnsupported: a version, command, family or protocol that version 2 does not know for streams.
	ErrUnsupported = errors.New("proxyproto: unsupported version, command or address family")
)

var (
	prefix1 = []byte("PROXY ")
	prefix2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Parse reads the header at the start of data, which must hold all that has arrived. It returns the header's length; 0
// without an error means that it is not complete. It never looks behind the header.
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

// begins reports whether data begins with the prefix, as far as there is data.
func begins(data, prefix []byte) bool {
	n := min(len(data), len(prefix))
	return bytes.Equal(data[:n], prefix[:n])
}
