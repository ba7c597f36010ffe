// Package portshare opens TCP sockets whose port several processes of a user may listen on (SO_REUSEPORT), and has new
// connections come to one of them. It is for a process that takes over from another one without refusing anybody, and
// works on Linux alone.
//
// A socket joins the group of its port when it listens, not when it is bound: from then on, new connections may come to
// it. So bind all that may fail first, and listen last. A socket that stops to listen loses the connections in its
// queue: first have new connections come to the other process, then accept until there are no more.
package portshare

import "errors"

// ErrUnsupported means that the system has no such sockets.
var ErrUnsupported = errors.New("ports can be shared by processes on Linux alone")
