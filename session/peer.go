package session

import "net/netip"

// Peer is what the server that a connection came by knows of it. Immutable.
type Peer struct {
	// Addr is the address at the other end; the zero AddrPort when it has none, as with unix sockets.
	Addr netip.AddrPort
	// Secure tells that the connection is encrypted.
	Secure bool
	// Single ends the connection with the answer to its first request, unless that makes it a WebSocket: whatever else
	// comes would be for the server that it came by.
	Single bool
	// spare is nil but for connections above the limit.
	spare *spare
}
