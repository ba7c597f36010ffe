package stream

import "net/netip"

// state is a connection's state on the way to its end. See the table in the package comment.
type state uint8

const (
	stateOpen      state = iota
	stateLeaving         // CloseAfterFlush was called, and data is queued
	stateLingering       // everything is sent and our side is shut; the connection waits for the peer's end
	stateCut             // Close was called; Settle closes the connection
	stateClosed          // the socket is released
)

// flags of a Conn.
const (
	flagResume     uint16 = 1 << iota // Resume was called
	flagSwitched                      // SetReceiver was called
	flagReceiving                     // Receive is running
	flagAfter                         // in Loop.after
	flagDirty                         // in Loop.dirty
	flagBlocked                       // the socket is full; in Loop.awaiting
	flagArmed                         // AwaitWritable was called before
	flagLeft                          // CloseAfterFlush was called
	flagCounted                       // the queue is in the loop's ledger, and not empty
	flagListed                        // the ledger lists the connection
	flagHeld                          // Hold was called
	flagStopped                       // the socket is not read
	flagQueued                        // in Loop.held
	flagLast                          // the last frame of the queue is Last's, until it is sent
	flagCut                           // this side ended the connection without flushing it
	flagExpendable                    // Expendable was called
)

// Conn is one connection. It is loop-owned: call all methods on its loop, in an entry, unless they say otherwise. It is
// small, because there are many: state that only busy connections need is behind pointers, which are nil in an idle
// one.
type Conn struct {
	loop  *Loop
	sock  Socket
	recv  Receiver
	first []byte // the unsent rest of the oldest queued frame; empty when the queue is
	rare  *rare
	// addr and port are the peer's, with IPv4 mapped into IPv6; both are zero if the peer has no address. Immutable.
	addr  [16]byte
	port  uint16
	flags uint16
	state state
	// Mark is for the backend's own use.
	Mark uint8
}

// rare is state that few connections need. Loop-owned; a Conn that needs none of it has a nil pointer.
type rare struct {
	rest    *restBuffer // input that was not consumed; nil: none
	more    *frameList  // frames behind the first; nil: none
	stall   *stall      // while blocked, leaving or lingering
	remotes *Remote     // handles of other loops
	drained func()      // OnDrained's; nil: nobody waits
}

// Init makes c a connection of l over s. remote may be the zero AddrPort.
func (c *Conn) Init(l *Loop, s Socket, remote netip.AddrPort) {
	c.loop, c.sock = l, s
	if remote.IsValid() {
		c.addr, c.port = remote.Addr().As16(), remote.Port()
	}
}

// Loop returns the loop that owns the connection. Safe for concurrent use.
func (c *Conn) Loop() *Loop { return c.loop }

// RemoteAddr returns the peer's address: IPv4 is never IPv6-mapped, and IPv6 has no zone. It is the zero AddrPort for a
// unix socket. It stays valid after the connection has closed. Safe for concurrent use.
func (c *Conn) RemoteAddr() netip.AddrPort {
	if c.addr == ([16]byte{}) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(c.addr).Unmap(), c.port)
}

// Closed reports whether the connection has closed.
func (c *Conn) Closed() bool { return c.state == stateClosed }

// Ending reports whether the connection accepts no more frames, because it is closed or closing.
func (c *Conn) Ending() bool { return c.state != stateOpen }

// Leaving reports whether CloseAfterFlush was called, even after the connection has closed.
func (c *Conn) Leaving() bool { return c.flags&flagLeft != 0 }

// Blocked reports whether data waits because the peer does not take it.
func (c *Conn) Blocked() bool { return c.flags&flagBlocked != 0 }

// Armed reports whether Socket.AwaitWritable was ever called.
func (c *Conn) Armed() bool { return c.flags&flagArmed != 0 }

// Receiver returns the current receiver; nil before the first SetReceiver and after the connection has closed.
func (c *Conn) Receiver() Receiver { return c.recv }

// SetReceiver makes r the receiver from now on, whose Closed is called at the end. If it is called inside Receive, r
// gets the bytes that this Receive does not consume at once.
func (c *Conn) SetReceiver(r Receiver) {
	c.own("Conn.SetReceiver")
	if c.state != stateClosed {
		c.recv = r
		c.flags |= flagSwitched
	}
}

// Queue appends a frame to the connection's queue. The frame is shared and must never change afterwards. Queue returns
// false and does nothing when the connection is closed or closing, or when QueueBytesMax would be exceeded. It never
// writes, so it may be called during walks over collections of connections. It does not allocate, except when the list
// of a queue with several frames grows.
func (c *Conn) Queue(frame []byte) bool {
	c.own("Conn.Queue")
	if c.state != stateOpen {
		return false
	}
	l := c.loop
	if c.footprint()+len(frame) > l.limits.QueueBytesMax {
		l.Counters.Refused.Add(1)
		return false
	}
	l.Counters.Frames.Add(1)
	c.enqueue(frame)
	return true
}

// Expendable has what is queued for the connection not count as cut when the peer does not take it.
func (c *Conn) Expendable() {
	c.own("Conn.Expendable")
	c.flags |= flagExpendable
}

// Last queues a last frame, which is short and so not limited, and closes the connection after it.
func (c *Conn) Last(frame []byte) {
	c.own("Conn.Last")
	if c.state == stateOpen {
		c.enqueue(frame)
		c.flags |= flagLast
		c.CloseAfterFlush()
	}
}

func (c *Conn) enqueue(frame []byte) {
	if len(frame) == 0 {
		return
	}
	c.push(frame)
	c.loop.queued += len(frame)
	c.loop.markDirty(c)
}

// QueuedBytes returns the number of queued bytes that the socket has not taken.
func (c *Conn) QueuedBytes() int {
	if c.rare == nil || c.rare.more == nil {
		return len(c.first)
	}
	return len(c.first) + c.rare.more.bytes
}

// QueuedFrames returns the number of queued frames, including one that is partly sent.
func (c *Conn) QueuedFrames() int {
	switch {
	case len(c.first) == 0:
		return 0
	case c.rare == nil || c.rare.more == nil:
		return 1
	}
	return 1 + c.rare.more.len()
}

// OnDrained calls fn once, on the loop, when the socket has taken everything that is queued; not if the connection ends
// before. fn may queue more. It replaces the function of an earlier call that was not called yet.
func (c *Conn) OnDrained(fn func()) {
	c.own("Conn.OnDrained")
	if c.state != stateClosed {
		c.rarely().drained = fn
	}
}

// tellDrained calls OnDrained's function.
func (c *Conn) tellDrained() {
	if fn := c.dropDrained(); fn != nil {
		fn()
	}
}

// dropDrained takes back OnDrained's function and returns it, or nil.
func (c *Conn) dropDrained() (fn func()) {
	if c.rare != nil && c.rare.drained != nil {
		fn, c.rare.drained = c.rare.drained, nil
		c.dropRare()
	}
	return fn
}

// footprint returns the size of the queue in the measure of QueueBytesMax.
func (c *Conn) footprint() int {
	if c.rare == nil || c.rare.more == nil {
		return len(c.first)
	}
	return len(c.first) + c.rare.more.bytes + c.rare.more.len()*FrameOverhead
}

// Resume calls Receive again with the kept rest, if there is one, when the current entry has returned. It is for a
// receiver that has held input back, for example a pipelined request. Inside of Receive it has an effect only if that
// Receive consumes something. Resume ends a Hold: Receive is then called in a later turn, after the input of other
// connections.
func (c *Conn) Resume() {
	c.own("Conn.Resume")
	if c.state != stateOpen {
		return
	}
	if c.flags&flagHeld != 0 {
		c.loop.held.put(c)
		return
	}
	c.flags |= flagResume
	if c.flags&flagReceiving == 0 {
		c.loop.afterwards(c)
	}
}

// Start calls accept, which may use c, and makes the result the Receiver. wanted is false when accept returned nil
// without ending the connection, or panicked; err is ErrPanic in the latter case.
func (c *Conn) Start(accept func() Receiver) (err error, wanted bool) {
	l := c.loop
	l.current = c
	err = c.guard("accept", func() {
		if r := accept(); r != nil && c.recv == nil {
			c.recv = r
		}
	})
	l.Settle()
	l.current = nil
	return err, c.recv != nil || c.state != stateOpen
}

// own checks that the caller runs on the loop, when assertions are compiled in.
func (c *Conn) own(method string) {
	if asserting {
		c.loop.host.MustOwn(method)
	}
}

// guard runs fn and turns a panic into ErrPanic.
func (c *Conn) guard(entry string, fn func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.loop.host.Panicked(entry, v)
			err = ErrPanic
		}
	}()
	fn()
	return nil
}

// rarely returns the rare part and makes it if necessary.
func (c *Conn) rarely() *rare {
	if c.rare == nil {
		c.rare = c.loop.rares.get()
	}
	return c.rare
}

// dropRare releases the rare part if it is empty.
func (c *Conn) dropRare() {
	if r := c.rare; r != nil && r.rest == nil && r.more == nil && r.stall == nil && r.remotes == nil && r.drained == nil {
		c.loop.rares.put(r)
		c.rare = nil
	}
}

// rareKeep is how many rare parts a loop keeps for reuse.
const rareKeep = 1 << 12

// rarePool is a loop's free list of rare parts. It is loop-owned and bounded.
type rarePool struct{ free []*rare }

func (p *rarePool) get() *rare {
	if n := len(p.free); n > 0 {
		r := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		return r
	}
	return new(rare)
}

func (p *rarePool) put(r *rare) {
	if len(p.free) < rareKeep {
		p.free = append(p.free, r)
	}
}
