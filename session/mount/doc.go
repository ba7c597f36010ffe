// Package mount serves the sessions of a session.Engine to requests of a program's own net/http server. It knows
// nothing of the contents of sessions.
//
// It passes connections to package session, which implements the protocol. A polling request is encoded again and
// passed to the engine on the session's home loop, over a bridge: a stream.Conn like any other, whose socket is a list
// of frames. A WebSocket is hijacked; its request, with the bytes that net/http has read ahead, is the first input of
// the new connection. A plain TCP or unix connection moves to an event loop. Any other connection, such as TLS, becomes
// a wire: a bridge with one goroutine that reads, and one that writes while there is something to write.
package mount
