package stream

// Flush writes the queue until the socket is full or the connection has written TurnBytesMax bytes.
func (c *Conn) Flush() {
	if c.state == stateLingering || c.state >= stateCut || c.flags&flagBlocked != 0 {
		return
	}
	l := c.loop
	moved := false
	for written := 0; len(c.first) > 0; {
		if written >= l.limits.TurnBytesMax {
			l.markDirty(c)
			break
		}
		n, full, err := c.writeSome(l.limits.TurnBytesMax - written)
		if err != nil {
			c.over(err)
			return
		}
		written += n
		moved = moved || n > 0
		if full {
			l.block(c, moved)
			break
		}
	}
	if c.state == stateClosed {
		return
	}
	c.tellRemotes()
	if len(c.first) == 0 {
		c.emptied()
	}
}

// emptied is called when the socket has taken the whole queue.
func (c *Conn) emptied() {
	if c.flags&(flagCounted|flagListed) != 0 {
		c.flags &^= flagCounted
		c.list()
	}
	if c.state == stateLeaving {
		c.linger()
		return
	}
	c.calm()
	c.tellDrained()
}

// writeSome writes at most bytesMax bytes, once. full reports that the socket took less.
func (c *Conn) writeSome(bytesMax int) (n int, full bool, err error) {
	l := c.loop
	parts, total := c.parts(l.parts[:0], bytesMax)
	l.Counters.Writes.Add(1)
	n, err = c.sock.Write(parts, total)
	clear(parts) // so that they do not keep frames alive
	if l.parts = parts[:0]; err != nil {
		return 0, false, err
	}
	if n > 0 {
		l.Counters.BytesOut.Add(int64(n))
		c.skip(n)
		l.queued -= n
	}
	return n, n < total, nil
}

// block notes that the socket is full, and requests a report when it is not. moved means that the socket has taken
// something since it was last full.
func (l *Loop) block(c *Conn, moved bool) {
	s := c.stalled()
	l.tickets++
	s.ticket = l.tickets
	l.awaiting[s.ticket] = c
	c.flags |= flagBlocked
	l.Counters.Blocked.Add(1)
	c.countQueue()
	c.list()
	if moved || !s.Scheduled() {
		s.moved, s.unsent = l.now, c.sock.Unsent()
	}
	c.watch()
	if err := c.sock.AwaitWritable(s.ticket); err != nil {
		c.over(err)
		return
	}
	c.flags |= flagArmed
}

// unblock forgets that the socket is full.
func (l *Loop) unblock(c *Conn) {
	c.flags &^= flagBlocked
	l.Counters.Blocked.Add(-1)
	delete(l.awaiting, c.rare.stall.ticket)
}
