package pollertest

import (
	"net/netip"
)

// Receiver is identical to poller.Receiver, see there.
type Receiver = interface {
	Receive(data []byte) (n, need int)
	Closed(err error)
}

// DefaultQueueBytesMax is the high mark of a new Conn.
const DefaultQueueBytesMax = 1 << 20

const (
	flagClosed uint16 = 1 << iota
	flagCloseNow
	flagLeaving
	flagResume
	flagSwitched
	flagReceiving
	flagAfter
	flagDirty
	flagStalled
	flagFull

	flagsEnding = flagClosed | flagCloseNow | flagLeaving

	idleSwitchesMax = 8 // as in poller
)

// Conn is a connection without a socket. It is loop-owned.
type Conn struct {
	loop    *Loop
	recv    Receiver
	rest    []byte
	more    *recording // nil for a quiet one
	remotes *Remote
	queued  int
	frames  int64
	bytes   int64
	flags   uint16
}

// recording is what only a recording Conn has.
type recording struct {
	frames   [][]byte
	remote   netip.AddrPort
	local    netip.AddrPort
	queueMax int
	need     int
	refused  int
	err      error
}

// NewConn returns a connection that records the frames queued on it. r receives what is fed to it.
func NewConn(l *Loop, r Receiver) *Conn {
	c := NewQuietConn(l, r)
	c.more = &recording{
		remote:   netip.MustParseAddrPort("192.0.2.1:40000"),
		local:    netip.MustParseAddrPort("192.0.2.2:80"),
		queueMax: DefaultQueueBytesMax,
	}
	return c
}

// NewQuietConn returns a connection that only counts, for simulations of very many.
func NewQuietConn(l *Loop, r Receiver) *Conn { return &Conn{loop: l, recv: r} }

// Loop returns the loop that owns the connection.
func (c *Conn) Loop() *Loop { return c.loop }

// RemoteAddr returns 192.0.2.1:40000 unless SetAddrs said otherwise; the zero AddrPort of a quiet Conn.
func (c *Conn) RemoteAddr() netip.AddrPort {
	if c.more == nil {
		return netip.AddrPort{}
	}
	return c.more.remote
}

// LocalAddr returns 192.0.2.2:80 unless SetAddrs said otherwise; the zero AddrPort of a quiet Conn.
func (c *Conn) LocalAddr() netip.AddrPort {
	if c.more == nil {
		return netip.AddrPort{}
	}
	return c.more.local
}

// SetReceiver makes r receive from now on; inside of Receive, it gets the unconsumed bytes at once.
func (c *Conn) SetReceiver(r Receiver) {
	if c.flags&flagClosed == 0 {
		c.recv = r
		c.flags |= flagSwitched
	}
}

// Queue takes an immutable frame. It returns false when the connection is closed or closing, when SetFull says so or when
// the high mark would be exceeded. Frames count as sent when the entry ends, unless the connection is stalled.
func (c *Conn) Queue(frame []byte) bool {
	if c.flags&flagsEnding != 0 {
		return false
	}
	if c.flags&flagFull != 0 || c.queued+len(frame) > c.queueMax() {
		if c.more != nil {
			c.more.refused++
		}
		return false
	}
	c.enqueue(frame)
	return true
}

func (c *Conn) enqueue(frame []byte) {
	c.frames++
	c.bytes += int64(len(frame))
	if len(frame) == 0 {
		return
	}
	c.queued += len(frame)
	if c.more != nil {
		c.more.frames = append(c.more.frames, frame)
	}
	if c.flags&(flagDirty|flagStalled) == 0 {
		c.flags |= flagDirty
		c.loop.dirty = append(c.loop.dirty, c)
	}
	c.loop.entered() // outside of an entry the flush is now
}

func (c *Conn) queueMax() int {
	if c.more == nil {
		return DefaultQueueBytesMax
	}
	return c.more.queueMax
}

// QueuedBytes returns what waits for a stalled peer or for the end of the entry.
func (c *Conn) QueuedBytes() int { return c.queued }

// Idle reports whether nothing waits and more can be queued.
func (c *Conn) Idle() bool { return c.flags&flagsEnding == 0 && c.queued == 0 }

// Resume gives the kept rest to Receive again when the current entry has returned.
func (c *Conn) Resume() {
	if c.flags&flagsEnding == 0 {
		c.flags |= flagResume
		if c.flags&flagReceiving == 0 {
			c.afterwards()
		}
	}
}

// CloseAfterFlush closes when nothing is queued any more: at the end of the entry, or when the stall ends.
func (c *Conn) CloseAfterFlush() {
	if c.flags&flagsEnding == 0 {
		c.flags |= flagLeaving
		c.afterwards()
	}
}

// Close drops what is queued and closes when the current entry has returned.
func (c *Conn) Close() {
	if c.flags&(flagClosed|flagCloseNow) == 0 {
		c.flags |= flagCloseNow
		c.afterwards()
	}
}

func (c *Conn) afterwards() {
	if c.flags&flagAfter == 0 {
		c.flags |= flagAfter
		c.loop.after = append(c.loop.after, c)
	}
	c.loop.entered()
}

// settle is the connection's part between two entries.
func (c *Conn) settle() {
	switch {
	case c.flags&flagClosed != 0:
	case c.flags&flagCloseNow != 0:
		c.close(nil)
	case c.flags&flagLeaving != 0: // before Resume, which it overrules
		c.flush()
	case c.flags&flagResume != 0:
		c.flags &^= flagResume
		rest := c.rest
		c.rest = nil
		c.feed(rest)
	}
}

func (c *Conn) flush() {
	if c.flags&(flagClosed|flagStalled) != 0 {
		return
	}
	if c.queued > 0 {
		c.queued = 0
		c.loop.writes++
	}
	c.tellRemotes()
	if c.flags&flagLeaving != 0 {
		c.close(nil)
	}
}

func (c *Conn) close(err error) {
	if c.flags&flagClosed != 0 {
		return
	}
	c.flags |= flagClosed
	c.queued, c.rest = 0, nil
	if c.more != nil {
		c.more.err = err
	}
	c.tellRemotes()
	if recv := c.recv; recv != nil {
		c.recv = nil
		recv.Closed(err)
	}
}

// feed is poller's loop around Receive.
func (c *Conn) feed(data []byte) {
	need := 0
	for idle := 0; len(data) > 0 && c.recv != nil; {
		var n int
		c.flags = c.flags&^(flagResume|flagSwitched) | flagReceiving
		n, need = c.recv.Receive(data)
		c.flags &^= flagReceiving
		n = max(0, min(n, len(data)))
		data = data[n:]
		if c.flags&flagsEnding != 0 {
			return
		}
		if idle++; n > 0 {
			idle = 0
		}
		if again := c.flags&flagSwitched != 0 || c.flags&flagResume != 0 && n > 0; !again || idle > idleSwitchesMax {
			break
		}
	}
	c.flags &^= flagResume
	c.rest = nil
	if len(data) > 0 {
		c.rest = append(c.rest, data...)
	}
	if c.more != nil {
		c.more.need = need
	}
}
