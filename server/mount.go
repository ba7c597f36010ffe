package server

import (
	"net/http"
)

// Handler serves the server in a program that has an HTTP server already:
//
//	http.Handle("/socket.io/", srv.Handler())
//
// It answers requests for Config.Path, whether or not the program strips a prefix; for all else it is Config.Fallback,
// or 404. The server must run: Start is for programs whose only listener is net/http's, Listen for those that want both.
// Before that, and after Close, the answer is 503. Addresses of clients are http.Request.RemoteAddr, and
// Config.TrustedProxies holds for them; Config.ProxyProtocol does not.
//
// A polling request is served by net/http, over HTTP/1.1, HTTP/2 and TLS alike, and costs its goroutine and a few kilobytes
// while it waits. The time-outs of the http.Server are lifted for it; the server's own hold.
//
// A WebSocket is taken over from net/http as soon as its first request has come. A plain connection (*net.TCPConn,
// *net.UnixConn) is given to an event loop, where it costs what a connection of the server's own listener does, in
// memory, system calls and goroutines (none). Any other kind, such as TLS or what a listener has wrapped, keeps one goroutine
// that reads, has another while there is something to write, and costs some 4 KiB of buffer besides; its messages
// take a turn of the event loop each way, and a broadcast is copied, and encrypted, for each of these.
//
// Close ends all of them. http.Server.Shutdown does not wait for WebSockets but does for polling requests, which last up
// to Config.PingInterval: call Close before it, or by RegisterOnShutdown.
func (srv *Server) Handler() http.Handler { return srv.host.Handler() }
