package stream

import "github.com/seed58c87869/siren/poller/memory"

const (
	// countedMin is the number of bytes behind the first frame from which on a queue is counted although it is not
	// blocked. Shorter queues leave at the end of the turn anyway.
	countedMin = 64 << 10
	// sampleMax bounds the frames of a queue that Held adds up.
	sampleMax = 64
)

// countQueue enters the queued frames in the loop's ledger. The queue stays counted until it is empty: new frames are
// entered, and sent ones are taken off. A queue that is never long nor blocked costs nothing.
func (c *Conn) countQueue() {
	m := &c.loop.memory
	if c.flags&flagCounted != 0 || !m.On() {
		return
	}
	c.flags |= flagCounted
	m.Hold(c.first)
	if c.rare == nil || c.rare.more == nil {
		return
	}
	f := c.rare.more
	for _, frame := range f.frames[f.head:] {
		m.Hold(frame)
	}
}

// uncountQueue takes the queued frames off the ledger.
func (c *Conn) uncountQueue() {
	if c.flags&flagCounted == 0 {
		return
	}
	c.flags &^= flagCounted
	m := &c.loop.memory
	m.Drop(c.first)
	if c.rare == nil || c.rare.more == nil {
		return
	}
	f := c.rare.more
	for _, frame := range f.frames[f.head:] {
		m.Drop(frame)
	}
}

// countRest notes that the buffer of unconsumed input has grown by n bytes.
func (c *Conn) countRest(n int) {
	if n != 0 {
		c.loop.memory.Add(n)
		c.list()
	}
}

// list makes the ledger list the connection, or stop listing it. A connection is listed while it is blocked or has left
// much input unconsumed.
func (c *Conn) list() {
	m := &c.loop.memory
	want := c.flags&flagBlocked != 0 || c.restSize() >= memory.ListMin
	switch listed := c.flags&flagListed != 0; {
	case want == listed:
	case !want:
		c.flags &^= flagListed
		m.Unlist(c)
	case m.On():
		c.flags |= flagListed
		m.List(c)
	}
}

// restSize returns the size of the buffer of unconsumed input.
func (c *Conn) restSize() int {
	if rest := c.rest(); rest != nil {
		return cap(rest.b)
	}
	return 0
}

// Held implements memory.Holder. It counts unconsumed input, and the queue of a blocked connection; for long queues it
// estimates.
func (c *Conn) Held() int {
	held := c.restSize()
	if c.flags&(flagBlocked|flagCounted) != flagBlocked|flagCounted {
		return held
	}
	m := &c.loop.memory
	held += m.Share(c.first)
	if c.rare.more == nil {
		return held
	}
	f := c.rare.more
	frames := f.frames[f.head:]
	sample := min(len(frames), sampleMax)
	sum := 0
	for i := range sample {
		sum += m.Share(frames[i*len(frames)/sample])
	}
	return held + sum*len(frames)/sample
}

// Evict implements memory.Holder: it closes the connection at once.
func (c *Conn) Evict() { c.over(memory.ErrOverBudget) }
