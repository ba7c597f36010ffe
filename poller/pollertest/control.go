package pollertest

import (
	"bytes"
	"net/netip"
)

// Feed gives bytes as if they had come from the peer, behind the kept rest, as one entry. The receiver may change the
// copy that it gets. A closing connection discards them.
func (c *Conn) Feed(data []byte) {
	c.loop.Do(func() {
		if c.flags&flagsEnding != 0 {
			return
		}
		input := make([]byte, 0, len(c.rest)+len(data))
		input = append(append(input, c.rest...), data...)
		c.feed(input)
	})
}

// FeedInPlace is Feed without the copy, for simulations: the receiver gets data itself, and may change it.
func (c *Conn) FeedInPlace(data []byte) {
	if len(c.rest) > 0 {
		c.Feed(data)
		return
	}
	c.loop.Do(func() {
		if c.flags&flagsEnding == 0 {
			c.feed(data)
		}
	})
}

// FeedSplit feeds data in pieces of size bytes.
func (c *Conn) FeedSplit(data []byte, size int) {
	for len(data) > 0 {
		n := min(max(size, 1), len(data))
		c.Feed(data[:n])
		data = data[n:]
	}
}

// PeerClose ends the connection as if the peer or the network had: Closed gets err.
func (c *Conn) PeerClose(err error) {
	c.loop.Do(func() { c.close(err) })
}

// Stall makes the peer stop reading (queued frames stay queued) or go on.
func (c *Conn) Stall(on bool) {
	c.loop.Do(func() {
		if on {
			c.flags |= flagStalled
			return
		}
		c.flags &^= flagStalled
		c.flush()
	})
}

// SetFull makes Queue refuse everything, as a connection does whose queue is at the high mark.
func (c *Conn) SetFull(on bool) {
	if on {
		c.flags |= flagFull
	} else {
		c.flags &^= flagFull
	}
}

// SetQueueBytesMax sets the high mark of a recording Conn.
func (c *Conn) SetQueueBytesMax(n int) {
	if c.more != nil {
		c.more.queueMax = n
	}
}

// SetAddrs sets the addresses of a recording Conn.
func (c *Conn) SetAddrs(remote, local netip.AddrPort) {
	if c.more != nil {
		c.more.remote, c.more.local = remote, local
	}
}

// Frames returns the frames queued since the latest TakeFrames; nil for a quiet Conn.
func (c *Conn) Frames() [][]byte {
	if c.more == nil {
		return nil
	}
	return c.more.frames
}

// TakeFrames returns Frames and forgets them.
func (c *Conn) TakeFrames() [][]byte {
	frames := c.Frames()
	if c.more != nil {
		c.more.frames = nil
	}
	return frames
}

// Bytes returns Frames as one slice.
func (c *Conn) Bytes() []byte { return bytes.Join(c.Frames(), nil) }

// FrameCount returns how many frames were queued in all.
func (c *Conn) FrameCount() int64 { return c.frames }

// ByteCount returns how many bytes were queued in all.
func (c *Conn) ByteCount() int64 { return c.bytes }

// Refused returns how many frames Queue refused because the queue was full; a quiet Conn does not count them.
func (c *Conn) Refused() int {
	if c.more == nil {
		return 0
	}
	return c.more.refused
}

// Rest returns the input that the receiver has not consumed, and the need it has declared for it.
func (c *Conn) Rest() (rest []byte, need int) {
	if c.more != nil {
		need = c.more.need
	}
	return c.rest, need
}

// Leaving reports whether CloseAfterFlush was called.
func (c *Conn) Leaving() bool { return c.flags&flagLeaving != 0 }

// Closed reports whether the connection has closed, and with which error its receiver was told; a quiet Conn
// does not keep the error.
func (c *Conn) Closed() (closed bool, err error) {
	if c.more != nil {
		err = c.more.err
	}
	return c.flags&flagClosed != 0, err
}
