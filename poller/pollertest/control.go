package pollertest

import (
	"bytes"
	"net/netip"
)

// Feed passes bytes to the receiver as if the peer had sent them, after the kept rest, as one entry. The receiver gets
// a copy, which it may change. A closing connection discards the bytes.
func (c *Conn) Feed(data []byte) { c.FeedInPlace(append([]byte(nil), data...)) }

// FeedInPlace is Feed without the copy, for simulations: the receiver gets data itself and may change it.
func (c *Conn) FeedInPlace(data []byte) { c.Loop().Do(func() { c.Read(data) }) }

// FeedSplit feeds data in pieces of size bytes.
func (c *Conn) FeedSplit(data []byte, size int) {
	for len(data) > 0 {
		n := min(max(size, 1), len(data))
		c.Feed(data[:n])
		data = data[n:]
	}
}

// PeerClose ends the connection as if the peer or the network had ended it. Closed gets err.
func (c *Conn) PeerClose(err error) { c.Loop().Do(func() { c.Ended(err) }) }

// Stall makes the peer stop reading (queued frames stay queued) or go on.
func (c *Conn) Stall(on bool) {
	c.Loop().Do(func() {
		if on {
			c.Mark = markStalled
			return
		}
		c.Mark = 0
		if c.Blocked() {
			c.Conn.Loop().Writable(c.more.ticket)
		}
	})
}

// SetAddrs sets the addresses of a recording Conn.
func (c *Conn) SetAddrs(remote, local netip.AddrPort) {
	if c.more != nil {
		c.more.remote, c.more.local = remote, local
	}
}

// Frames returns the frames that the peer took since the latest TakeFrames; nil for a quiet Conn.
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

// FrameCount returns how many frames the peer took in all.
func (c *Conn) FrameCount() int64 { return c.frames }

// ByteCount returns how many bytes the peer took in all; 0 for a quiet Conn.
func (c *Conn) ByteCount() int64 {
	if c.more == nil {
		return 0
	}
	return c.more.bytes
}

// Closed reports whether the connection has closed, and the error that its receiver got. A quiet Conn does not keep the
// error.
func (c *Conn) Closed() (closed bool, err error) {
	if c.more != nil {
		err = c.more.err
	}
	return c.Conn.Closed(), err
}
