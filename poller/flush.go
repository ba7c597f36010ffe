package poller

const (
	// copyBytesMax is up to how much is copied together and written with one write(2). Above, writev(2) without a
	// copy is cheaper.
	copyBytesMax = 16 << 10
	// partsMax bounds the parts of one writev(2); the kernel refuses more than 1,024.
	partsMax = 64
	// writeBytesMax bounds what is handed to gnet at once, and so the private copy that it makes of what the kernel
	// does not take. It is the capacity of gnet's static buffer, too.
	writeBytesMax = 64 << 10
	// turnBytesMax bounds what one connection may write before it is the next one's turn.
	turnBytesMax = 1 << 20
)

// flushDirty flushes connections until none is dirty or the slice is used up.
func (l *Loop) flushDirty() {
	cfg := &l.engine.config
	if l.dirty.len() == 0 {
		return
	}
	deadline := l.clock() + int64(cfg.FlushTime)
	for n := 0; n < cfg.FlushSlice && l.dirty.len() > 0; n++ {
		c := l.dirty.pop()
		c.flags &^= flagDirty
		l.flushConn(c)
		if len(l.after) > 0 {
			l.settle()
		}
		if l.clock() >= deadline {
			return
		}
	}
}

// flushConn writes what waits for c, as long as the kernel takes it. gnet may close c meanwhile.
func (l *Loop) flushConn(c *Conn) {
	if c.flags&(flagClosed|flagBlocked|flagLingering) != 0 {
		return
	}
	for written := 0; !c.queue.empty(); {
		if written >= turnBytesMax {
			l.markDirty(c)
			break
		}
		written += l.writeSome(c)
		if c.flags&flagClosed != 0 {
			return
		}
		if c.gc.OutboundBuffered() > 0 {
			l.block(c)
			break
		}
	}
	c.tellRemotes()
	if c.flags&flagLeaving != 0 && c.QueuedBytes() == 0 {
		l.linger(c)
	}
}

// writeSome hands one write to gnet, whose own buffer is empty, and returns its size. What was handed over has left the
// queue before gnet can close the connection and the queue is dropped.
func (l *Loop) writeSome(c *Conn) (n int) {
	var err error
	l.counters.writes.Add(1)
	parts, total := c.queue.parts(l.parts[:0], writeBytesMax)
	if total <= copyBytesMax {
		buf := c.queue.copy(l.scratch[:0])
		c.queue.skip(len(buf), &l.lists)
		n, err = c.gc.Write(buf)
	} else {
		c.queue.skip(total, &l.lists)
		n, err = c.gc.Writev(parts)
	}
	clear(parts) // gnet changes them, and they would keep frames alive
	if err == nil {
		l.counters.bytesOut.Add(int64(n))
	}
	return n
}
