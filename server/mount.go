package server

import (
	"net/http"
)

// Handler returns a handler that serves this server in a program with its own HTTP server:
//
//	http.Handle("/socket.io/", srv.Handler())
//
// It answers requests for Config.Path, whether or not the program strips a prefix. Other requests go to
// Config.Fallback, or get 404. The server must be running: Start is for programs whose only listener is net/http's,
// Listen for those with both. Before that, and after Close, the answer is 503. Addresses of clients are those of
// http.Request.RemoteAddr, to which Config.TrustedProxies applies; Config.ProxyProtocol does not.
//
// net/http serves polling requests, over HTTP/1.1, HTTP/2 and TLS; each costs its goroutine and a few kilobytes while
// it waits. The time-outs of the http.Server do not apply to them; this server's do.
//
// The handler takes over a WebSocket from net/http as soon as its request has arrived. An event loop gets a plain
// connection (*net.TCPConn, *net.UnixConn), which then costs as much as one of the server's own listener in memory,
// system calls and goroutines (none). Any other kind, such as TLS or a connection that a listener has wrapped, has one
// goroutine that reads, another one while there is something to write, and some 4 KiB of buffer. Its messages take a
// turn of the event loop in each direction, and a broadcast is copied and encrypted for each of them.
//
// Close ends all of them. http.Server.Shutdown does not wait for WebSockets, but waits for polling requests, which last
// up to Config.PingInterval: call Close before it, or by RegisterOnShutdown.
func (srv *Server) Handler() http.Handler { return srv.host.Handler() }
