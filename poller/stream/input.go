package stream

// idleSwitchesMax bounds how often Receive is called again although it consumes nothing (SetReceiver).
const idleSwitchesMax = 8

// Read passes bytes from the peer to the Receiver, after the rest that it has left before, and keeps what it leaves
// this time. Then Read settles, and flushes the Receiver's answers. data is valid only in the call.
func (c *Conn) Read(data []byte) {
	if c.state != stateOpen {
		c.discard(len(data))
		return
	}
	if c.flags&flagHeld != 0 {
		c.append(data)
		return
	}
	l := c.loop
	l.current = c
	c.deliver(data)
	l.Settle()
	l.current = nil
	c.Flush()
}

// deliver passes new input to the receiver, after the rest it has left, and keeps what it leaves this time.
func (c *Conn) deliver(data []byte) {
	if rest := c.rest(); rest != nil {
		data = c.extend(rest, data)
	}
	c.feed(data)
}

// extend appends data to the rest and returns both.
func (c *Conn) extend(rest *restBuffer, data []byte) []byte {
	size := cap(rest.b)
	rest = c.loop.rests.grow(rest, len(data))
	rest.b = append(rest.b, data...)
	c.rare.rest = rest
	c.countRest(cap(rest.b) - size)
	return rest.b
}

// rest returns the input that the receiver has left, or nil.
func (c *Conn) rest() *restBuffer {
	if c.rare == nil {
		return nil
	}
	return c.rare.rest
}

// resumeRest passes the kept rest to the receiver again.
func (c *Conn) resumeRest() {
	c.flags &^= flagResume
	if rest := c.rest(); rest != nil && c.state == stateOpen && c.flags&flagHeld == 0 {
		c.feed(rest.b)
	}
}

// feed calls the receiver, and again while SetReceiver or Resume was called, and keeps the rest. data is new input or
// all of the rest.
func (c *Conn) feed(data []byte) {
	need, idle := 0, 0
	for len(data) > 0 {
		var n int
		var ok bool
		c.flags &^= flagResume | flagSwitched
		c.flags |= flagReceiving
		n, need, ok = c.receive(data)
		c.flags &^= flagReceiving
		if !ok {
			c.dropRest()
			c.over(ErrPanic)
			return
		}
		n = max(0, min(n, len(data)))
		data = data[n:]
		if c.state != stateOpen {
			c.dropRest()
			return
		}
		if idle++; n > 0 {
			idle = 0
		}
		again := c.flags&flagSwitched != 0 || c.flags&flagResume != 0 && n > 0
		if !again || idle > idleSwitchesMax || c.flags&flagHeld != 0 {
			break
		}
	}
	c.flags &^= flagResume
	if c.recv == nil { // SetReceiver(nil)
		data = nil
	}
	c.keep(data, need)
}

// keep stores the unconsumed tail of feed's data.
func (c *Conn) keep(tail []byte, need int) {
	l := c.loop
	rest := c.rest()
	switch {
	case len(tail) == 0:
		c.dropRest()
		return
	case len(tail) > l.limits.RestBytesMax:
		c.dropRest()
		c.over(ErrRestTooLong)
		return
	case rest == nil:
		rest = l.rests.get(restSize(len(tail), need))
		rest.b = append(rest.b, tail...)
		c.rarely().rest = rest
		c.countRest(cap(rest.b))
	case len(tail) < len(rest.b):
		rest.b = rest.b[:copy(rest.b, tail)]
	}
	rest.need = need
}

func (c *Conn) dropRest() {
	if rest := c.rest(); rest != nil {
		size := cap(rest.b)
		c.loop.rests.put(rest)
		c.rare.rest = nil
		c.countRest(-size)
		c.dropRare()
	}
}

// Rest returns the input that the Receiver has left and its latest need. For tests.
func (c *Conn) Rest() (data []byte, need int) {
	if rest := c.rest(); rest != nil {
		return rest.b, rest.need
	}
	return nil, 0
}

// receive calls Receive and recovers a panic. ok is false after a panic.
func (c *Conn) receive(data []byte) (n, need int, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			c.loop.host.Panicked("receive", v)
			ok = false
		}
	}()
	if c.recv == nil {
		return len(data), 0, true
	}
	n, need = c.recv.Receive(data)
	return n, need, true
}
