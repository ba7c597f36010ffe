package poller

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Remote is a handle of a connection for a session whose home is another loop. It is owned by its home loop: all methods
// are to be called there, in an entry. What is queued in one entry of the home loop is posted once, at
// its end, to the connection's loop, and flushed there. There is one Remote per connection and home.
type Remote struct {
	home *Loop
	conn *Conn // for the connection's loop only
	next *Remote

	batch  *remoteBatch // what this entry has queued; nil: nothing
	posted int64        // bytes queued so far
	ended  ending       // CloseAfterFlush or Close was called
	addr   netip.AddrPort

	closed atomic.Bool  // set by the connection's loop
	gone   atomic.Int64 // of posted: what has been handed to the kernel; set by the connection's loop
	taken  int64        // of posted: what has reached the connection; owned by its loop
}

// ending says what comes after the frames of a batch.
type ending uint8

const (
	endNone ending = iota
	endFlush
	endNow
)

// remoteBatch is the message from home to the connection's loop.
type remoteBatch struct {
	to     *Remote
	frames [][]byte
	bytes  int
	end    ending
}

var batchPool = sync.Pool{New: func() any { return new(remoteBatch) }}

// Borrow returns the handle by which sessions of home use the connection, always the same one. It is called on the
// connection's loop.
func (c *Conn) Borrow(home *Loop) *Remote {
	c.loop.mustOwn("Conn.Borrow")
	for r := c.remotes(); r != nil; r = r.next {
		if r.home == home {
			return r
		}
	}
	r := &Remote{home: home, conn: c, next: c.remotes(), addr: c.RemoteAddr()}
	r.closed.Store(c.flags&flagClosed != 0)
	c.rarely().remotes = r
	return r
}

// Home returns the loop that owns the handle. Safe for concurrent use.
func (r *Remote) Home() *Loop { return r.home }

// RemoteAddr returns the peer's address, like Conn.RemoteAddr. Safe for concurrent use.
func (r *Remote) RemoteAddr() netip.AddrPort { return r.addr }

// Queue is Conn.Queue: it returns false when the connection is known to be closed or closing, or when what this handle
// has queued and the connection has not sent would exceed QueueBytesMax. A frame that is on its way when the connection
// closes is counted in Stats.FramesDropped.
func (r *Remote) Queue(frame []byte) bool {
	l := r.home
	l.mustOwn("Remote.Queue")
	if r.ended != endNone || r.closed.Load() {
		return false
	}
	if r.QueuedBytes()+len(frame) > l.engine.config.QueueBytesMax {
		l.counters.refused.Add(1)
		return false
	}
	l.counters.frames.Add(1)
	if len(frame) == 0 {
		return true
	}
	b := r.open()
	b.frames = append(b.frames, frame)
	b.bytes += len(frame) + frameOverhead
	r.posted += int64(len(frame) + frameOverhead)
	return true
}

// open returns the batch of this entry.
func (r *Remote) open() *remoteBatch {
	if r.batch == nil {
		r.batch = batchPool.Get().(*remoteBatch)
		r.batch.to = r
		r.home.remotes = append(r.home.remotes, r)
	}
	return r.batch
}

// QueuedBytes returns how much of what was queued here has not been handed to the kernel, as far as is known.
// What other handles and the connection's own loop have queued may be counted in.
func (r *Remote) QueuedBytes() int { return int(r.posted - r.gone.Load()) }

// Idle reports whether nothing that was queued here waits, and more can be queued.
func (r *Remote) Idle() bool { return r.ended == endNone && !r.closed.Load() && r.QueuedBytes() == 0 }

// Closed reports whether the connection is known to be closed. Safe for concurrent use.
func (r *Remote) Closed() bool { return r.closed.Load() }

// CloseAfterFlush is Conn.CloseAfterFlush, behind what was queued here.
func (r *Remote) CloseAfterFlush() {
	r.home.mustOwn("Remote.CloseAfterFlush")
	if r.ended == endNone {
		r.ended = endFlush
		r.open().end = endFlush
	}
}

// Close is Conn.Close; what this entry has queued is dropped.
func (r *Remote) Close() {
	r.home.mustOwn("Remote.Close")
	if r.ended != endNow {
		r.ended = endNow
		r.open().end = endNow
	}
}

// sendRemotes posts the batches of this entry.
func (l *Loop) sendRemotes() {
	for i, r := range l.remotes {
		l.remotes[i] = nil
		b := r.batch
		r.batch = nil
		r.conn.loop.Post(b)
	}
	l.remotes = l.remotes[:0]
}

// Run delivers a batch, on the connection's loop.
func (b *remoteBatch) Run(int) {
	r := b.to
	c := r.conn
	l := c.loop
	switch {
	case c.flags&flagsEnding != 0 || b.end == endNow:
		l.counters.framesDropped.Add(int64(len(b.frames)))
	default:
		for _, frame := range b.frames {
			c.enqueue(frame)
		}
	}
	r.taken += int64(b.bytes)
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

// tellRemotes lets the homes know how much has left.
func (c *Conn) tellRemotes() {
	if c.remotes() == nil {
		return
	}
	waiting := int64(c.QueuedBytes())
	ending := c.flags&flagsEnding != 0
	for r := c.remotes(); r != nil; r = r.next {
		r.gone.Store(r.taken - min(waiting, r.taken))
		if ending {
			r.closed.Store(true)
		}
	}
}
