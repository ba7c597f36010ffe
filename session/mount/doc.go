// Package mount serves the sessions of a session.Engine to the requests that a program's own net/http server gets. It
// knows nothing of what the sessions carry.
//
// It duplicates nothing of package session: it feeds it. A polling request is made into bytes again and given to the
// engine on the session's home loop, over a bridge: a stream.Conn like any other, whose socket is a list of frames. A
// WebSocket is hijacked, and its request, with what net/http had read ahead, is the first input of the connection in its
// new place. A plain TCP or unix connection moves to an event loop; any other connection, such as TLS, is a wire: a bridge
// with a goroutine that reads, and one that writes while there is something to write.
package mount
