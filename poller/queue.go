package poller

const (
	// listKeep is how many slots of frame lists a loop keeps for reuse, all lists together (24 bytes each).
	listKeep = 1 << 17
	// listMax is the largest list that is kept.
	listMax = 1 << 10
	// listMin is the capacity of a new list: a queue that holds more than one frame mostly holds a few.
	listMin = 8
)

// frameOverhead is what a frame that waits behind another counts for besides its bytes: its place in the list, and the
// memory around it when it is small and this connection's own. Without it a flood of tiny frames would take many times
// what the limits allow.
const frameOverhead = 64

// frameQueue holds the outbound frames of one connection in order. It is loop-owned. The first frame has its place in
// the connection itself, so a broadcast that finds empty queues takes no memory; a list is borrowed from the loop for more.
type frameQueue struct {
	first []byte     // what is left of the oldest frame; empty when the queue is
	more  *frameList // nil when there are no others
}

type frameList struct {
	frames [][]byte
	head   int
	bytes  int // of the frames from head on
}

func (q *frameQueue) empty() bool { return len(q.first) == 0 }

// len counts the frames.
func (q *frameQueue) len() int {
	switch {
	case q.empty():
		return 0
	case q.more == nil:
		return 1
	}
	return 1 + len(q.more.frames) - q.more.head
}

// bytes is what waits, as limits count it.
func (q *frameQueue) bytes() int {
	if q.more == nil {
		return len(q.first)
	}
	return len(q.first) + q.more.bytes + (len(q.more.frames)-q.more.head)*frameOverhead
}

// push appends a frame, which must not be empty.
func (q *frameQueue) push(frame []byte, lists *listPool) {
	if q.empty() {
		q.first = frame
		return
	}
	if q.more == nil {
		q.more = lists.get()
	}
	q.more.push(frame)
}

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

// skip takes n bytes off the front and forgets the frames that are gone.
func (q *frameQueue) skip(n int, lists *listPool) {
	for n >= len(q.first) {
		n -= len(q.first)
		if !q.advance(lists) {
			return
		}
	}
	q.first = q.first[n:]
}

// advance drops the first frame; false when none is left.
func (q *frameQueue) advance(lists *listPool) bool {
	q.first = nil
	if q.more == nil {
		return false
	}
	f := q.more
	q.first = f.frames[f.head]
	f.bytes -= len(q.first)
	f.frames[f.head] = nil
	if f.head++; f.head == len(f.frames) {
		q.more = nil
		lists.put(f)
	}
	return true
}

// parts appends to buf what comes next, at most partsMax parts with bytesMax bytes in all, without taking it off.
func (q *frameQueue) parts(buf [][]byte, bytesMax int) (parts [][]byte, total int) {
	for i, n := 0, min(q.len(), partsMax); i < n && total < bytesMax; i++ {
		part := q.at(i)
		if len(part) > bytesMax-total {
			part = part[:bytesMax-total]
		}
		buf = append(buf, part)
		total += len(part)
	}
	return buf, total
}

// copy appends to buf what comes next, up to its capacity, without taking it off.
func (q *frameQueue) copy(buf []byte) []byte {
	for i, n := 0, q.len(); i < n && len(buf) < cap(buf); i++ {
		part := q.at(i)
		buf = append(buf, part[:min(len(part), cap(buf)-len(buf))]...)
	}
	return buf
}

func (q *frameQueue) at(i int) []byte {
	if i == 0 {
		return q.first
	}
	return q.more.frames[q.more.head+i-1]
}

// drop empties the queue and returns how many frames it held.
func (q *frameQueue) drop(lists *listPool) int {
	n := q.len()
	if q.more != nil {
		clear(q.more.frames[q.more.head:])
		lists.put(q.more)
	}
	*q = frameQueue{}
	return n
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

// put takes back a list whose frames are nil all.
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
