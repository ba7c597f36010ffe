package poller

import (
	"net/netip"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// Receiver gets what happens on a connection, on the connection's loop. It is an alias of an interface literal, so that
// packages may declare the same one and need not import this package.
type Receiver = interface {
	// Receive gets all bytes that were received and not consumed yet. data aliases the loop's read buffer or
	// the connection's kept rest and is valid only in the call; the receiver may change it.
	//
	// It returns how many bytes it has consumed. The rest (an incomplete frame or request, or input that it does not
	// want yet) is kept and given again, in front of what comes next. need is the total length of the incomplete
	// item if it is known, else 0. It is a hint for the buffer, which grows with what was received, up to need:
	// a declared length alone allocates nothing.
	Receive(data []byte) (n, need int)
	// Closed is called exactly once, with nil after Close or CloseAfterFlush and an error otherwise. The Conn must not be
	// used afterwards; its methods are harmless then and do nothing.
	Closed(err error)
}

// flags of a Conn.
const (
	flagClosed    uint16 = 1 << iota // gnet has given it up; gc is nil
	flagCloseNow                     // Close was called, settle does it
	flagResume                       // Resume was called
	flagSwitched                     // SetReceiver was called
	flagReceiving                    // Receive is running
	flagLeaving                      // CloseAfterFlush was called
	flagLingering                    // our side is shut down, the peer's EOF is awaited
	flagRejected                     // over MaxConns; has no receiver
	flagAdmitted                     // counted against MaxConns
	flagAfter                        // in Loop.after
	flagDirty                        // in Loop.dirty
	flagWatched                      // in Loop.watched
	flagBlocked                      // gnet holds data that the kernel does not take

	flagsEnding = flagClosed | flagCloseNow | flagLeaving | flagLingering | flagRejected
	flagsDeaf   = flagsEnding // bytes are discarded
)

// Conn is one connection. It is loop-owned: all methods are to be called on its loop, in an entry. It is small, because
// there are many: what only a busy connection needs hangs off it and is nil while it is idle.
type Conn struct {
	loop  *Loop
	gc    gnet.Conn // nil once closed: the descriptor may be somebody else's by then
	recv  Receiver
	queue frameQueue
	rest  *restBuffer // unconsumed input
	rare  *rareState
	// addr and port are the peer's, an IPv4 address mapped into an IPv6 one; both are zero when it has none. Immutable.
	addr  [16]byte
	port  uint16
	flags uint16
}

// rareState is what few connections need. It is loop-owned.
type rareState struct {
	watch   *watchState // while blocked, leaving or lingering
	remotes *Remote     // handles of other loops
}

// Loop returns the loop that owns the connection. Safe for concurrent use.
func (c *Conn) Loop() *Loop { return c.loop }

// RemoteAddr returns the peer's address: IPv4 is never IPv6-mapped, and IPv6 is without a zone. It is the zero AddrPort for
// a unix socket. It is valid also after the connection has closed. Safe for concurrent use.
func (c *Conn) RemoteAddr() netip.AddrPort {
	if c.addr == ([16]byte{}) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(c.addr).Unmap(), c.port)
}

// setRemote notes the peer's address, before anybody else knows the connection.
func (c *Conn) setRemote(a netip.AddrPort) {
	if a.IsValid() {
		c.addr, c.port = a.Addr().As16(), a.Port()
	}
}

// rarely is the rareState, made if there is none.
func (c *Conn) rarely() *rareState {
	if c.rare == nil {
		c.rare = new(rareState)
	}
	return c.rare
}

// watch is how the connection is watched; nil when it is not.
func (c *Conn) watch() *watchState {
	if c.rare == nil {
		return nil
	}
	return c.rare.watch
}

// unwatch ends the watch.
func (c *Conn) unwatch() {
	if c.rare != nil {
		c.rare.watch = nil
		c.dropRare()
	}
}

// dropRare gives the rareState back when nothing is in it.
func (c *Conn) dropRare() {
	if *c.rare == (rareState{}) {
		c.rare = nil
	}
}

// remotes are the handles of other loops.
func (c *Conn) remotes() *Remote {
	if c.rare == nil {
		return nil
	}
	return c.rare.remotes
}

// LocalAddr asks the system for the local address; the zero AddrPort for a unix socket and after the connection has closed.
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

// SetReceiver makes r receive from now on, and be the one whose Closed is called. Called inside of Receive, the
// bytes that this Receive does not consume go to r at once.
func (c *Conn) SetReceiver(r Receiver) {
	c.loop.mustOwn("Conn.SetReceiver")
	if c.flags&flagClosed == 0 {
		c.recv = r
		c.flags |= flagSwitched
	}
}

// Queue appends a frame to what is to be sent. The frame is shared and must never change afterwards. It returns false,
// and has queued nothing, when the connection is closed or closing or when QueueBytesMax would be exceeded. It never writes,
// so it may be called during walks over collections of connections; it does not allocate, except that
// the lists of queues with several frames grow now and then.
func (c *Conn) Queue(frame []byte) bool {
	l := c.loop
	l.mustOwn("Conn.Queue")
	if c.flags&flagsEnding != 0 {
		return false
	}
	if c.QueuedBytes()+len(frame) > l.engine.config.QueueBytesMax {
		l.counters.refused.Add(1)
		return false
	}
	l.counters.frames.Add(1)
	c.enqueue(frame)
	return true
}

// enqueue links the connection into the dirty list, unless it is flushed in any case: at the end of its Receive, or
// when its peer reads again.
func (c *Conn) enqueue(frame []byte) {
	if len(frame) == 0 {
		return
	}
	c.queue.push(frame, &c.loop.lists)
	c.loop.markDirty(c)
}

func (l *Loop) markDirty(c *Conn) {
	if c.flags&(flagDirty|flagBlocked) == 0 && c != l.current {
		c.flags |= flagDirty
		l.dirty.push(c)
	}
}

// QueuedBytes returns what waits to be sent: our queue, in which each frame behind the first counts for 64 bytes more
// than it has, and what gnet holds. Data in the kernel does not count.
func (c *Conn) QueuedBytes() int {
	if c.flags&flagBlocked != 0 && c.gc != nil {
		return c.queue.bytes() + c.gc.OutboundBuffered()
	}
	return c.queue.bytes()
}

// Idle reports whether nothing waits to be sent and more can be queued: the time for volatile messages.
func (c *Conn) Idle() bool { return c.flags&flagsEnding == 0 && c.QueuedBytes() == 0 }

// Resume makes Receive be called again with the kept rest, if there is one, when the current entry has returned. It is for
// a receiver that has held input back, for example a pipelined request. Inside of its own Receive it is
// only good for a Receive that consumes something.
func (c *Conn) Resume() {
	c.loop.mustOwn("Conn.Resume")
	if c.flags&flagsEnding != 0 {
		return
	}
	c.flags |= flagResume
	if c.flags&flagReceiving == 0 {
		c.loop.afterwards(c)
	}
}

// CloseAfterFlush lets out what is queued and then closes. Queue returns false from now on, and inbound bytes are
// discarded. When all is sent, our side of the connection is shut down, so that the peer reads EOF behind the last byte; the
// connection closes when the peer closes its side, a second later at the latest, or with ErrFlushTimeout when
// FlushTimeout has passed with data still queued.
func (c *Conn) CloseAfterFlush() {
	c.loop.mustOwn("Conn.CloseAfterFlush")
	if c.flags&flagsEnding != 0 {
		return
	}
	c.flags |= flagLeaving
	c.loop.watchUntil(c, c.loop.now+int64(c.loop.engine.config.FlushTimeout))
	c.loop.afterwards(c)
}

// Close closes the connection without flushing. Receiver.Closed is not called from inside of Close but when the current
// entry (Receive, Run, Accept, Closed) has returned; for timers, when all that are due have run.
func (c *Conn) Close() {
	c.loop.mustOwn("Conn.Close")
	if c.flags&(flagClosed|flagCloseNow) == 0 {
		c.flags |= flagCloseNow
		c.loop.afterwards(c)
	}
}

// closeConn closes at once. No user code is on the stack.
func (l *Loop) closeConn(c *Conn, reason error) {
	if c.flags&flagClosed != 0 {
		return
	}
	outer, outerReason := l.closing, l.reason
	l.closing, l.reason = c, reason
	if err := c.gc.EventLoop().Close(c.gc); err != nil {
		l.engine.config.Logger.Debug("poller: close", "loop", l.index, "error", err)
	}
	l.closing, l.reason = outer, outerReason
	if c.flags&flagClosed == 0 { // gnet did not know it any more
		l.forget(c, reason)
	}
}

// forget ends a connection on our side. It is linked in lists still, which skip it when they come to it.
func (l *Loop) forget(c *Conn, err error) {
	if c.flags&flagClosed != 0 {
		return
	}
	switch {
	case c.flags&flagAdmitted != 0:
		l.engine.admitted.Add(-1)
		l.counters.conns.Add(-1)
	case c.flags&flagRejected != 0:
		l.engine.rejecting.Add(-1)
	}
	if c.flags&flagBlocked != 0 {
		l.counters.blocked.Add(-1)
	}
	if c.flags&flagLingering != 0 {
		err = nil // the peer's EOF or reset is what we waited for
	}
	c.flags |= flagClosed
	c.gc = nil
	l.counters.framesDropped.Add(int64(c.queue.drop(&l.lists)))
	if c.flags&flagReceiving == 0 {
		c.dropRest()
	}
	c.unwatch()
	for r := c.remotes(); r != nil; r = r.next {
		r.closed.Store(true)
	}
	if recv := c.recv; recv != nil {
		c.recv = nil
		l.tellClosed(recv, err)
	}
}

func (l *Loop) tellClosed(recv Receiver, err error) {
	defer func() {
		if v := recover(); v != nil {
			l.panicked("closed", v)
		}
	}()
	recv.Closed(err)
}
