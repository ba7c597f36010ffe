package pollertest

import (
	"errors"
	"net/netip"

	"github.com/seed58c87869/siren/poller/stream"
)

// Receiver is the same type as poller.Receiver.
type Receiver = stream.Receiver

// Remote is the handle to a fake connection for another fake loop. Frames queued in one entry of the home loop are
// posted at the end of the entry: run the connection's loop to see them.
type Remote = stream.Remote

// DefaultQueueBytesMax is the default of package poller, in bytes.
const DefaultQueueBytesMax = 1 << 20

// markStalled marks a Conn whose peer accepts nothing.
const markStalled uint8 = 1

// Conn is an in-memory connection: a stream.Conn whose peer is the test. The peer accepts everything at once unless
// Stall is in effect, and closes when the connection's side is shut down. Loop-owned.
type Conn struct {
	stream.Conn
	more   *recording // nil for a quiet one
	frames int64
}

// recording holds what a recording Conn remembers.
type recording struct {
	frames [][]byte
	local  netip.AddrPort
	remote netip.AddrPort
	bytes  int64
	ticket uint64
	err    error
}

// NewConn makes a connection of l that records what it sends. Its addresses are 192.0.2.1:40000 and 192.0.2.2:80.
func NewConn(l *Loop, r Receiver) *Conn {
	remote := netip.MustParseAddrPort("192.0.2.1:40000")
	c := newConn(l, r, remote)
	c.more = &recording{remote: remote, local: netip.MustParseAddrPort("192.0.2.2:80")}
	return c
}

// NewQuietConn makes a connection that records only the number of its frames, for very many. It has no address.
func NewQuietConn(l *Loop, r Receiver) *Conn { return newConn(l, r, netip.AddrPort{}) }

func newConn(l *Loop, r Receiver, remote netip.AddrPort) *Conn {
	c := new(Conn)
	c.Init(&l.Loop, (*socket)(c), remote)
	c.SetReceiver(r)
	return c
}

// Loop returns the connection's loop.
func (c *Conn) Loop() *Loop { return c.Conn.Loop().Host().(*Loop) }

// Borrow returns the handle for home, the same one every time.
func (c *Conn) Borrow(home *Loop) *Remote { return c.Conn.Borrow(&home.Loop) }

// RemoteAddr returns 192.0.2.1:40000 unless SetAddrs changed it; the zero AddrPort for a quiet Conn.
func (c *Conn) RemoteAddr() netip.AddrPort {
	if c.more == nil {
		return netip.AddrPort{}
	}
	return c.more.remote
}

// LocalAddr returns 192.0.2.2:80 unless SetAddrs changed it; the zero AddrPort for a quiet Conn.
func (c *Conn) LocalAddr() netip.AddrPort {
	if c.more == nil {
		return netip.AddrPort{}
	}
	return c.more.local
}

// socket is a Conn in its role as stream.Socket.
type socket Conn

// Write implements stream.Socket: it takes all or nothing.
func (s *socket) Write(parts [][]byte, total int) (int, error) {
	if s.Mark == markStalled {
		return 0, nil
	}
	s.frames += int64(len(parts))
	if s.more != nil {
		s.more.frames = append(s.more.frames, parts...)
		s.more.bytes += int64(total)
	}
	return total, nil
}

// AwaitWritable implements stream.Socket.
func (s *socket) AwaitWritable(ticket uint64) error {
	if s.more == nil {
		s.more = &recording{}
	}
	s.more.ticket = ticket
	return nil
}

// StopReading implements stream.Socket. It does nothing: the test decides when to call Feed.
func (s *socket) StopReading(bool) {}

// Unsent implements stream.Socket.
func (s *socket) Unsent() int { return -1 }

// errPeerGone is the peer's response to the end of the connection's side.
var errPeerGone = errors.New("pollertest: the peer has closed")

// CloseWrite implements stream.Socket. Its error closes the connection at once.
func (s *socket) CloseWrite() error { return errPeerGone }

// Close implements stream.Socket.
func (s *socket) Close(reason error) {
	if s.more != nil {
		s.more.err = reason
	}
}
