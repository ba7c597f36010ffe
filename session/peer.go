package session

import "net/netip"

// Peer is what the server that accepted a connection knows about its other end. Immutable.
type Peer struct {
	// Addr is the address of the other end; the zero AddrPort if it has none, as with unix sockets.
	Addr netip.AddrPort
	// Secure reports whether the connection is encrypted.
	Secure bool
	// Single closes the connection after the response to its first request, unless that makes it a WebSocket: further
	// input would be for the server that accepted the connection.
	Single bool
	// linked means that another node has passed the request on. It is not passed on again.
	linked bool
	// spare is nil except for connections above the limit.
	spare *spare
}
