package pollertest

import "net/netip"

// Remote is the handle of a fake connection for another fake loop. It is owned by its home loop. What is queued in one
// entry of the home loop is posted at its end: run the connection's loop to see it.
type Remote struct {
	home   *Loop
	conn   *Conn
	next   *Remote
	batch  [][]byte
	linked bool
	posted int
	gone   int
	taken  int
	ended  bool
	now    bool
	told   bool // the end has been posted
	closed bool
}

// Borrow returns the handle for home, always the same one.
func (c *Conn) Borrow(home *Loop) *Remote {
	for r := c.remotes; r != nil; r = r.next {
		if r.home == home {
			return r
		}
	}
	c.remotes = &Remote{home: home, conn: c, next: c.remotes, closed: c.flags&flagClosed != 0}
	return c.remotes
}

// Home returns the loop that owns the handle.
func (r *Remote) Home() *Loop { return r.home }

// RemoteAddr returns the connection's.
func (r *Remote) RemoteAddr() netip.AddrPort { return r.conn.RemoteAddr() }

// Queue is Conn.Queue from the home loop.
func (r *Remote) Queue(frame []byte) bool {
	if r.ended || r.closed || r.conn.flags&flagFull != 0 || r.QueuedBytes()+len(frame) > r.conn.queueMax() {
		return false
	}
	r.batch = append(r.batch, frame)
	r.posted += len(frame)
	r.link()
	return true
}

// QueuedBytes returns what was queued here and has not been sent.
func (r *Remote) QueuedBytes() int { return r.posted - r.gone }

// Idle reports whether nothing waits and more can be queued.
func (r *Remote) Idle() bool { return !r.ended && !r.closed && r.QueuedBytes() == 0 }

// Closed reports whether the connection has closed.
func (r *Remote) Closed() bool { return r.closed }

// CloseAfterFlush closes behind what was queued here.
func (r *Remote) CloseAfterFlush() {
	if !r.ended {
		r.ended = true
		r.link()
	}
}

// Close closes now; what this entry has queued is dropped.
func (r *Remote) Close() {
	if !r.now && !r.closed {
		r.ended, r.now, r.told = true, true, false
		r.link()
	}
}

func (r *Remote) link() {
	if !r.linked {
		r.linked = true
		r.home.remotes = append(r.home.remotes, r)
	}
	r.home.entered()
}

// send posts the batch to the connection's loop.
func (r *Remote) send() {
	batch, ended, now := r.batch, r.ended && !r.told, r.now
	r.batch, r.linked, r.told = nil, false, r.ended
	c := r.conn
	c.loop.PostFunc(func() {
		for _, frame := range batch {
			r.taken += len(frame)
			if !now && c.flags&flagsEnding == 0 {
				c.enqueue(frame)
			}
		}
		c.tellRemotes()
		switch {
		case now:
			c.Close()
		case ended:
			c.CloseAfterFlush()
		}
	})
}

func (c *Conn) tellRemotes() {
	for r := c.remotes; r != nil; r = r.next {
		r.gone = r.taken - min(c.queued, r.taken)
		r.closed = r.closed || c.flags&flagsEnding != 0
	}
}
