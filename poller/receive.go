package poller

import "math/bits"

const (
	restClassMin = 9  // 512 bytes
	restClassMax = 16 // 64 KiB; larger ones are left to the garbage collector
	restKeep     = 64 // per class and loop

	// idleSwitchesMax bounds how often receivers may hand over to each other without consuming anything.
	idleSwitchesMax = 8
)

// deliver gives new input to the receiver, behind the rest it has left, and keeps what it leaves this time.
func (c *Conn) deliver(data []byte) {
	if c.rest != nil {
		c.rest = c.loop.rests.grow(c.rest, len(data))
		c.rest.b = append(c.rest.b, data...)
		data = c.rest.b
	}
	c.feed(data)
}

// resumeRest gives the kept rest once more.
func (c *Conn) resumeRest() {
	c.flags &^= flagResume
	if c.rest != nil && c.flags&flagsDeaf == 0 {
		c.feed(c.rest.b)
	}
}

// feed calls the receiver, again as long as it has been exchanged or wants to resume, and keeps the rest.
// data is new input or all of c.rest.
func (c *Conn) feed(data []byte) {
	need, idle := 0, 0
	for len(data) > 0 {
		var n int
		var ok bool
		c.flags &^= flagResume | flagSwitched
		c.flags |= flagReceiving
		n, need, ok = c.loop.receive(c.recv, data)
		c.flags &^= flagReceiving
		if !ok {
			c.dropRest()
			c.loop.closeConn(c, ErrPanic)
			return
		}
		n = max(0, min(n, len(data)))
		data = data[n:]
		if c.flags&flagsDeaf != 0 {
			c.dropRest()
			return
		}
		if idle++; n > 0 {
			idle = 0
		}
		again := c.flags&flagSwitched != 0 || c.flags&flagResume != 0 && n > 0
		if !again || idle > idleSwitchesMax {
			break
		}
	}
	c.flags &^= flagResume
	if c.recv == nil { // SetReceiver(nil)
		data = nil
	}
	c.keep(data, need)
}

// keep stores the tail of what feed was given.
func (c *Conn) keep(tail []byte, need int) {
	l := c.loop
	switch {
	case len(tail) == 0:
		c.dropRest()
		return
	case len(tail) > l.engine.config.RestBytesMax:
		c.dropRest()
		l.closeConn(c, ErrRestTooLong)
		return
	case c.rest == nil:
		c.rest = l.rests.get(restSize(len(tail), need))
		c.rest.b = append(c.rest.b, tail...)
	case len(tail) < len(c.rest.b):
		c.rest.b = c.rest.b[:copy(c.rest.b, tail)]
	}
	c.rest.need = need
}

func (c *Conn) dropRest() {
	if c.rest != nil {
		c.loop.rests.put(c.rest)
		c.rest = nil
	}
}

// receive is one Receive under a recover.
func (l *Loop) receive(r Receiver, data []byte) (n, need int, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			l.panicked("receive", v)
			ok = false
		}
	}()
	if r == nil {
		return len(data), 0, true
	}
	n, need = r.Receive(data)
	return n, need, true
}

// restBuffer holds the input that a receiver has not consumed. It is loop-owned.
type restBuffer struct {
	b    []byte
	need int // what the receiver said last
}

// restSize returns the capacity for received bytes of an item of need bytes: twice of what is there, but not more
// than the item needs.
func restSize(received, need int) int {
	size := 2 * received
	if need > 0 && need < size {
		size = need
	}
	return max(size, received)
}

// restPool is a loop's free list of rest buffers by size class. It is loop-owned and bounded.
type restPool struct {
	free [restClassMax - restClassMin + 1][]*restBuffer
}

// get returns an empty buffer of at least that capacity.
func (p *restPool) get(size int) *restBuffer {
	if size > 1<<restClassMax {
		return &restBuffer{b: make([]byte, 0, size)}
	}
	class := max(bits.Len(uint(max(size-1, 0))), restClassMin)
	list := &p.free[class-restClassMin]
	if n := len(*list); n > 0 {
		r := (*list)[n-1]
		(*list)[n-1] = nil
		*list = (*list)[:n-1]
		return r
	}
	return &restBuffer{b: make([]byte, 0, 1<<class)}
}

// put takes a buffer back.
func (p *restPool) put(r *restBuffer) {
	size := cap(r.b)
	class := bits.Len(uint(size)) - 1
	if size != 1<<class || class < restClassMin || class > restClassMax {
		return
	}
	list := &p.free[class-restClassMin]
	if len(*list) < restKeep {
		r.b, r.need = r.b[:0], 0
		*list = append(*list, r)
	}
}

// grow makes room for extra bytes.
func (p *restPool) grow(r *restBuffer, extra int) *restBuffer {
	want := len(r.b) + extra
	if want <= cap(r.b) {
		return r
	}
	bigger := p.get(restSize(want, r.need))
	bigger.b = append(bigger.b, r.b...)
	bigger.need = r.need
	p.put(r)
	return bigger
}
