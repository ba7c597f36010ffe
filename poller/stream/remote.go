package stream

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Remote is a handle to a connection for a session whose home is another loop. It is owned by its home loop: call all
// methods there, in an entry, unless they say otherwise. Frames queued in one entry of the home loop are posted to the
// connection's loop once, at the end of the entry, and flushed there. A connection has one Remote per home loop.
type Remote struct {
	home *Loop
	conn *Conn // for the connection's loop only
	next *Remote

	batch  *remoteBatch // queued in the current entry; nil if nothing is
	posted amount       // all that was ever queued
	ended  ending       // CloseAfterFlush or Close was called
	addr   netip.AddrPort

	closed     atomic.Bool  // set by the connection's loop
	goneBytes  atomic.Int64 // the part of posted that the socket has taken; set by the connection's loop
	goneFrames atomic.Int64
	taken      amount // the part of posted that has reached the connection; owned by its loop
}

// amount is a number of frames and bytes. A plain value.
type amount struct{ bytes, frames int64 }

func (a *amount) add(bytes, frames int) {
	a.bytes += int64(bytes)
	a.frames += int64(frames)
}

// ending says how the connection ends after the frames of a batch.
type ending uint8

const (
	endNone ending = iota
	endFlush
	endNow
)

// remoteBatch is the message from the home loop to the connection's loop.
type remoteBatch struct {
	to     *Remote
	frames [][]byte
	bytes  int
	end    ending
	// expendable is set by Expendable.
	expendable bool
}

var batchPool = sync.Pool{New: func() any { return new(remoteBatch) }}

// Borrow returns the handle to the connection for sessions of home. It returns the same handle every time. Call it on
// the connection's loop.
func (c *Conn) Borrow(home *Loop) *Remote {
	c.own("Conn.Borrow")
	for r := c.remotes(); r != nil; r = r.next {
		if r.home == home {
			return r
		}
	}
	r := &Remote{home: home, conn: c, next: c.remotes(), addr: c.RemoteAddr()}
	r.closed.Store(c.state == stateClosed)
	c.rarely().remotes = r
	return r
}

// RemoteAddr returns the peer's address, like Conn.RemoteAddr. Safe for concurrent use.
func (r *Remote) RemoteAddr() netip.AddrPort { return r.addr }

// Queue is Conn.Queue. It returns false if the connection is known to be closed or closing, or if the bytes queued
// through this handle and not sent yet would exceed QueueBytesMax. Frames on their way to a connection that closes
// meanwhile count in Counters.FramesDropped.
func (r *Remote) Queue(frame []byte) bool {
	l := r.home
	r.own("Remote.Queue")
	if r.ended != endNone || r.closed.Load() {
		return false
	}
	if r.QueuedBytes()+r.QueuedFrames()*FrameOverhead+len(frame) > l.limits.QueueBytesMax {
		l.Counters.Refused.Add(1)
		return false
	}
	l.Counters.Frames.Add(1)
	r.enqueue(frame)
	return true
}

func (r *Remote) enqueue(frame []byte) {
	if len(frame) == 0 {
		return
	}
	b := r.open()
	b.frames = append(b.frames, frame)
	b.bytes += len(frame)
	r.posted.add(len(frame), 1)
	r.home.host.Entered()
}

// Last is Conn.Last.
func (r *Remote) Last(frame []byte) {
	r.own("Remote.Last")
	if r.ended == endNone {
		r.enqueue(frame)
		r.CloseAfterFlush()
	}
}

// Expendable is Conn.Expendable.
func (r *Remote) Expendable() {
	r.own("Remote.Expendable")
	if r.ended == endNone {
		r.open().expendable = true
		r.home.host.Entered()
	}
}

// own checks that the caller runs on the home loop, when assertions are compiled in.
func (r *Remote) own(method string) {
	if asserting {
		r.home.host.MustOwn(method)
	}
}

// open returns the batch of the current entry.
func (r *Remote) open() *remoteBatch {
	if r.batch == nil {
		r.batch = batchPool.Get().(*remoteBatch)
		r.batch.to = r
		r.home.remotes = append(r.home.remotes, r)
	}
	return r.batch
}

// QueuedBytes returns the number of bytes queued here that the socket is not known to have taken. It may include bytes
// queued by other handles and by the connection's own loop.
func (r *Remote) QueuedBytes() int { return int(r.posted.bytes - r.goneBytes.Load()) }

// QueuedFrames is like QueuedBytes, for frames.
func (r *Remote) QueuedFrames() int { return int(r.posted.frames - r.goneFrames.Load()) }

// Closed reports whether the connection is known to be closed. Safe for concurrent use.
func (r *Remote) Closed() bool { return r.closed.Load() }

// CloseAfterFlush is Conn.CloseAfterFlush, after the frames queued here.
func (r *Remote) CloseAfterFlush() {
	r.own("Remote.CloseAfterFlush")
	if r.ended == endNone {
		r.ended = endFlush
		r.open().end = endFlush
		r.home.host.Entered()
	}
}

// Close is Conn.Close; the frames queued in this entry are dropped.
func (r *Remote) Close() {
	r.own("Remote.Close")
	if r.ended != endNow {
		r.ended = endNow
		r.open().end = endNow
		r.home.host.Entered()
	}
}

// Run delivers a batch, on the connection's loop.
func (b *remoteBatch) Run(int) {
	r := b.to
	c := r.conn
	l := c.loop
	switch {
	case c.state != stateOpen || b.end == endNow:
		l.Counters.FramesDropped.Add(int64(len(b.frames)))
	default:
		for _, frame := range b.frames {
			c.enqueue(frame)
		}
	}
	if b.expendable {
		c.Expendable()
	}
	r.taken.add(b.bytes, len(b.frames))
	c.tellRemotes()
	switch b.end {
	case endFlush:
		c.CloseAfterFlush()
	case endNow:
		c.Close()
	}
	clear(b.frames)
	if cap(b.frames) > listMax {
		return
	}
	*b = remoteBatch{frames: b.frames[:0]}
	batchPool.Put(b)
}

// tellRemotes updates the handles' counts of sent bytes and frames.
func (c *Conn) tellRemotes() {
	if c.remotes() == nil {
		return
	}
	bytes, frames := int64(c.QueuedBytes()), int64(c.QueuedFrames())
	for r := c.remotes(); r != nil; r = r.next {
		r.goneBytes.Store(r.taken.bytes - min(bytes, r.taken.bytes))
		r.goneFrames.Store(r.taken.frames - min(frames, r.taken.frames))
		if c.state != stateOpen {
			r.closed.Store(true)
		}
	}
}

// remotes returns the handles of other loops, as a list.
func (c *Conn) remotes() *Remote {
	if c.rare == nil {
		return nil
	}
	return c.rare.remotes
}
