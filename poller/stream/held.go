package stream

import "github.com/seed58c87869/siren/poller/memory"

const (
	// countedMin is how many bytes wait behind the first frame before a queue is counted that is not blocked: what
	// leaves at the end of the turn anyway.
	countedMin = 64 << 10
	// sampleMax bounds the frames of a queue that Held looks at.
	sampleMax = 64
)

// countQueue enters the frames that wait in the loop's ledger, where they stay until the queue is empty: those that
// come are entered, and those that leave are taken off. A queue that never is long, nor blocked, costs nothing.
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

// uncountQueue takes what waits off the ledger.
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

// list lets the ledger list the connection, or not any more. It is listed while it is blocked or has left much input
// unconsumed.
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

// restSize is what the buffer of unconsumed input takes.
func (c *Conn) restSize() int {
	if rest := c.rest(); rest != nil {
		return cap(rest.b)
	}
	return 0
}

// Held implements memory.Holder: what is queued and does not leave because the peer does not read, and input that was
// not consumed. Of long queues it is an estimate.
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
