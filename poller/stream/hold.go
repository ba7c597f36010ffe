package stream

import (
	"maps"
	"slices"
)

// Hold stops the connection's input: Receive is not called again before Resume, and the socket is not read meanwhile.
// Input that a socket reads nevertheless is kept behind the rest, within RestBytesMax. Hold is for a receiver that must
// wait before it continues, for example for a later turn of the loop.
func (c *Conn) Hold() {
	c.own("Conn.Hold")
	if c.state != stateOpen || c.flags&flagHeld != 0 {
		return
	}
	c.flags |= flagHeld
	if c.flags&flagStopped == 0 {
		c.flags |= flagStopped
		c.loop.held.stopped[c] = struct{}{}
		c.sock.StopReading(true)
	}
}

// Holding reports whether Hold was called and its Resume has not come into effect.
func (c *Conn) Holding() bool { return c.flags&flagHeld != 0 }

// readOn lets the socket be read again, unless the input is held.
func (c *Conn) readOn() {
	if c.flags&(flagHeld|flagStopped) == flagStopped {
		c.sock.StopReading(false)
		c.loop.held.forget(c)
	}
}

// append keeps input behind the rest without showing it to the Receiver.
func (c *Conn) append(data []byte) {
	switch rest := c.rest(); {
	case rest == nil:
		c.keep(data, 0)
	case len(rest.b)+len(data) > c.loop.limits.RestBytesMax:
		c.over(ErrRestTooLong)
	default:
		c.extend(rest, data)
	}
}

// heldInput is the list of held connections that are to continue in a later turn, and the task that does it, in their
// order. The task is posted, so their input comes after everything that was posted before. Loop-owned.
type heldInput struct {
	loop   *Loop
	conns  []*Conn
	next   int // the index of the next connection in conns
	posted bool

	stopped map[*Conn]struct{} // connections that are held
	waiters []*heldWaiter
}

// heldWaiter waits for the connections that were held when it was made.
type heldWaiter struct {
	left map[*Conn]struct{}
	fn   func()
}

// Run implements Task.
func (w *heldWaiter) Run(int) { w.fn() }

// AfterHeld calls fn on the loop, after what is posted, when Receivers have taken all input that was read before: when
// every connection that is held now has been resumed or has ended. It does not wait for what they send later. The call
// takes time in proportion to the held connections, because it notes them: an engine makes it once, at its end.
func (l *Loop) AfterHeld(fn func()) {
	w := &heldWaiter{left: maps.Clone(l.held.stopped), fn: fn}
	if len(w.left) == 0 {
		l.host.Post(w)
		return
	}
	l.held.waiters = append(l.held.waiters, w)
}

// forget notes that c is not held any more, or has ended.
func (h *heldInput) forget(c *Conn) {
	if c.flags&flagStopped == 0 {
		return
	}
	c.flags &^= flagStopped
	delete(h.stopped, c)
	h.waiters = slices.DeleteFunc(h.waiters, func(w *heldWaiter) bool {
		delete(w.left, c)
		if len(w.left) > 0 {
			return false
		}
		h.loop.host.Post(w)
		return true
	})
}

// put resumes c's input in a later turn.
func (h *heldInput) put(c *Conn) {
	if c.flags&flagQueued != 0 {
		return
	}
	c.flags |= flagQueued
	h.conns = append(h.conns, c)
	if !h.posted {
		h.posted = true
		h.loop.host.Post(h)
	}
}

// Run implements Task. Each connection that waits now gets one entry; if the budget is used up, the rest waits for
// another run.
func (h *heldInput) Run(int) {
	l := h.loop
	h.posted = false
	for waiting := len(h.conns) - h.next; waiting > 0; waiting-- {
		c := h.conns[h.next]
		h.conns[h.next] = nil
		h.next++
		c.flags &^= flagQueued
		l.budget.entry = 0
		c.goOn()
		if l.budget.over {
			break
		}
	}
	if h.next == len(h.conns) {
		h.conns, h.next = h.conns[:0], 0
		return
	}
	h.conns = h.conns[:copy(h.conns, h.conns[h.next:])]
	h.next = 0
	if !h.posted {
		h.posted = true
		l.host.Post(h)
	}
}

// goOn passes the rest of a held connection to its Receiver, as an entry. The socket is read again unless the Receiver
// calls Hold again.
func (c *Conn) goOn() {
	if c.state != stateOpen || c.flags&flagHeld == 0 {
		return
	}
	c.flags &^= flagHeld
	l := c.loop
	outer := l.current
	l.current = c
	if rest := c.rest(); rest != nil {
		c.feed(rest.b)
	}
	if c.state < stateCut {
		c.readOn()
	}
	l.Settle()
	l.current = outer
	c.Flush()
}
