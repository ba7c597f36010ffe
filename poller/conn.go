package poller

import (
	"net/netip"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/poller/stream"
)

// Receiver handles the events of a connection, on the connection's loop.
type Receiver = stream.Receiver

// Remote is a handle to a connection for a session whose home is another loop.
type Remote = stream.Remote

// Marks of a Conn say which limit it counts against.
const (
	markAdmitted uint8 = 1 + iota // MaxConns
	markRejected                  // the number of rejected connections that may linger
)

// Conn is a connection of the kernel: a stream.Conn over a descriptor that gnet watches for input. It is loop-owned:
// call all methods on its loop, in an entry, unless they say otherwise.
type Conn struct {
	stream.Conn
	gc gnet.Conn // nil once closed: the descriptor may belong to another connection by then
}

func newConn(l *Loop, gc gnet.Conn, remote netip.AddrPort) *Conn {
	c := &Conn{gc: gc}
	c.Init(&l.Loop, (*socket)(c), remote)
	return c
}

// Loop returns the loop that owns the connection. Safe for concurrent use.
func (c *Conn) Loop() *Loop { return c.Conn.Loop().Host().(*Loop) }

// Borrow returns the handle to the connection for sessions of home. It returns the same handle every time. Call it on
// the connection's loop.
func (c *Conn) Borrow(home *Loop) *Remote { return c.Conn.Borrow(&home.Loop) }

// LocalAddr returns the local address, which it asks the system for. It is the zero AddrPort for a unix socket and
// after the connection has closed.
func (c *Conn) LocalAddr() netip.AddrPort {
	if c.gc == nil {
		return netip.AddrPort{}
	}
	sa, err := unix.Getsockname(c.gc.Fd())
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPortOf(sa)
}
