package stream

const (
	// listKeep is how many slots of frame lists a loop keeps for reuse, all lists together (24 bytes each).
	listKeep = 1 << 17
	// listMax is the largest list that is kept.
	listMax = 1 << 10
	// listMin is the capacity of a new list: a queue that holds more than one frame mostly holds a few.
	listMin = 8
)

// The first frame of a connection's queue is in the Conn itself, so a broadcast that finds empty queues takes no
// memory. For more frames the connection borrows a list from the loop.

// frameList holds the frames behind the first one, in order. It is loop-owned.
type frameList struct {
	frames [][]byte
	head   int
	bytes  int // of the frames from head on
}

func (f *frameList) len() int { return len(f.frames) - f.head }

func (f *frameList) push(frame []byte) {
	// A queue that never runs empty reuses the places of the frames that have left.
	if len(f.frames) == cap(f.frames) && f.head*2 >= len(f.frames) {
		n := copy(f.frames, f.frames[f.head:])
		clear(f.frames[n:])
		f.frames, f.head = f.frames[:n], 0
	}
	f.frames = append(f.frames, frame)
	f.bytes += len(frame)
}

// pop removes and returns the first frame.
func (f *frameList) pop() []byte {
	frame := f.frames[f.head]
	f.frames[f.head] = nil
	f.head++
	f.bytes -= len(frame)
	return frame
}

// push appends a frame, which must not be empty.
func (c *Conn) push(frame []byte) {
	if len(c.first) == 0 {
		c.first = frame
		return
	}
	r := c.rarely()
	if r.more == nil {
		r.more = c.loop.lists.get()
	}
	r.more.push(frame)
	switch {
	case c.flags&flagCounted != 0:
		c.loop.memory.Hold(frame)
	case r.more.bytes > countedMin:
		c.countQueue()
	}
}

// skip removes n bytes from the front of the queue, with the frames that are sent.
func (c *Conn) skip(n int) {
	for n >= len(c.first) {
		n -= len(c.first)
		if !c.advance() {
			return
		}
	}
	c.first = c.first[n:]
}

// advance drops the first frame. It returns false if none is left.
func (c *Conn) advance() bool {
	if c.flags&flagCounted != 0 {
		c.loop.memory.Drop(c.first)
	}
	c.first = nil
	if c.rare == nil || c.rare.more == nil {
		return false
	}
	f := c.rare.more
	c.first = f.pop()
	if f.len() == 0 {
		c.dropMore()
	}
	return true
}

// parts appends the next bytes to send to buf: at most partsMax parts with bytesMax bytes in all. They stay in the
// queue.
func (c *Conn) parts(buf [][]byte, bytesMax int) (parts [][]byte, total int) {
	first := c.first[:min(len(c.first), bytesMax)]
	buf, total = append(buf, first), len(first)
	if c.rare == nil || c.rare.more == nil {
		return buf, total
	}
	f := c.rare.more
	for i := f.head; i < len(f.frames) && len(buf) < partsMax && total < bytesMax; i++ {
		part := f.frames[i]
		part = part[:min(len(part), bytesMax-total)]
		buf = append(buf, part)
		total += len(part)
	}
	return buf, total
}

// dropQueue empties the queue and returns the number of frames dropped.
func (c *Conn) dropQueue() int {
	n := c.QueuedFrames()
	c.loop.queued -= c.QueuedBytes()
	c.uncountQueue()
	c.first = nil
	if c.rare != nil && c.rare.more != nil {
		clear(c.rare.more.frames[c.rare.more.head:])
		c.dropMore()
	}
	return n
}

// dropMore returns the list of further frames to the loop. Its frames are all nil.
func (c *Conn) dropMore() {
	c.loop.lists.put(c.rare.more)
	c.rare.more = nil
	c.dropRare()
}

// listPool is a loop's free list of frame lists, bounded by their slots. It is loop-owned.
type listPool struct {
	free  []*frameList
	slots int
}

func (p *listPool) get() *frameList {
	if n := len(p.free); n > 0 {
		f := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.slots -= cap(f.frames)
		return f
	}
	return &frameList{frames: make([][]byte, 0, listMin)}
}

// put takes back a list whose frames are all nil.
func (p *listPool) put(f *frameList) {
	size := cap(f.frames)
	if size > listMax || p.slots+size > listKeep {
		return
	}
	f.frames, f.head, f.bytes = f.frames[:0], 0, 0
	p.slots += size
	p.free = append(p.free, f)
}

// dirties is a queue of connections. It is loop-owned; a connection is in it once (flagDirty).
type dirties struct {
	list []*Conn
	head int
}

func (d *dirties) len() int { return len(d.list) - d.head }

// queued returns the number of connections in d that have bytes to send.
func (d *dirties) queued() (n int) {
	for _, c := range d.list[d.head:] {
		if c.QueuedBytes() > 0 {
			n++
		}
	}
	return n
}

func (d *dirties) push(c *Conn) {
	if len(d.list) == cap(d.list) && d.head*2 >= len(d.list) {
		n := copy(d.list, d.list[d.head:])
		clear(d.list[n:])
		d.list, d.head = d.list[:n], 0
	}
	d.list = append(d.list, c)
}

func (d *dirties) pop() *Conn {
	c := d.list[d.head]
	d.list[d.head] = nil
	if d.head++; d.head == len(d.list) {
		d.list, d.head = d.list[:0], 0
	}
	return c
}
