package memory

import "sync/atomic"

const (
	// ListMin is the least number of bytes for which a Holder is listed. A connection takes about as much anyway.
	ListMin = 4 << 10
	// slotBytes is the size of a reference to a frame: its place in a list.
	slotBytes = 32
	// frameBytes is the size of a frame besides its bytes: the object around them and its entry in the ledger.
	frameBytes = 64
	// framesKeep is the largest number of entries for which an empty map is kept.
	framesKeep = 1 << 12
)

// Holder is a client, or a part of one, that holds memory and can be ended. Its methods are called on the loop of the
// ledger that lists it, outside of walks over collections of clients.
type Holder interface {
	// Held returns the number of bytes that the end of the holder would free. A holder may unlist itself in the call.
	Held() int
	// Evict ends the client and frees what it holds, at once or in the current entry of the loop.
	Evict()
}

// Ledger counts what the clients of one event loop hold. It is loop-owned except for Add, Held, Depart and Arrive. The
// zero value is ready; it counts nothing until it joins a Budget.
type Ledger struct {
	budget *Budget
	post   func(fn func())
	frames map[*byte]entry
	listed map[Holder]struct{}
	// pruned is the number of listed holders after they were last looked at.
	pruned int
	// peak is the largest number of frames since the map was made.
	peak int
	// next is the sum at which Add compares all ledgers with the budget again.
	next int64

	_    [64]byte
	held atomic.Int64
	// coming is the part of held that Depart has added.
	coming atomic.Int64
	_      [48]byte // a cache line for the counters, which other goroutines write
}

// entry is a frame that waits.
type entry struct {
	refs int32 // connections and sessions that it waits for
	size int32
}

// On reports whether the ledger has joined a Budget. Otherwise Hold, Drop and List must not be called.
func (l *Ledger) On() bool { return l.budget != nil }

// Held returns the sum. Safe for concurrent use.
func (l *Ledger) Held() int64 { return l.held.Load() }

// Add adds n bytes, or takes them off if n is negative. Positive numbers may be added on the loop only; taking off is
// safe for concurrent use.
func (l *Ledger) Add(n int) {
	if l.budget == nil {
		return
	}
	sum := l.held.Add(int64(n))
	if n <= 0 {
		return
	}
	step := l.budget.step
	if sum >= l.next {
		l.next = sum + step
		l.budget.check()
	} else if l.next > sum+2*step {
		l.next = sum + step
	}
}

// DepartMin is the least size of packets that Depart counts. The number of tasks bounds smaller ones in a mailbox.
const DepartMin = 1 << 10

// Depart adds a packet of n bytes that is posted to the loop, until Arrive takes it off. Depart returns false and adds
// nothing when all clients hold more than twice the budget and posted packets are a good part of it: the senders are
// too fast then. Safe for concurrent use.
func (l *Ledger) Depart(n int) bool {
	b := l.budget
	if b == nil || n < DepartMin {
		return true
	}
	if l.coming.Add(int64(n)) > b.step*steps/4 && b.Held() > 2*b.limit {
		l.coming.Add(-int64(n))
		return false
	}
	l.held.Add(int64(n))
	return true
}

// Arrive takes off what Depart has added. Safe for concurrent use.
func (l *Ledger) Arrive(n int) {
	if l.budget != nil && n >= DepartMin {
		l.coming.Add(-int64(n))
		l.held.Add(-int64(n))
	}
}

// Hold adds a frame that waits for one more client of the loop. Frames are identified by their end, because connections
// cut off at the front what is sent.
func (l *Ledger) Hold(frame []byte) {
	key := &frame[len(frame)-1]
	e := l.frames[key]
	n := slotBytes
	if e.refs == 0 {
		n += frameBytes
	}
	if size := int32(len(frame)); size > e.size {
		n += int(size - e.size)
		e.size = size
	}
	e.refs++
	l.frames[key] = e
	l.peak = max(l.peak, len(l.frames))
	l.Add(n)
}

// Drop takes off, for one client, a frame that Hold has added.
func (l *Ledger) Drop(frame []byte) {
	key := &frame[len(frame)-1]
	e, ok := l.frames[key]
	if !ok {
		return
	}
	n := slotBytes
	if e.refs--; e.refs > 0 {
		l.frames[key] = e
	} else {
		n += frameBytes + int(e.size)
		l.forget(key)
	}
	l.held.Add(-int64(n))
}

func (l *Ledger) forget(key *byte) {
	delete(l.frames, key)
	if len(l.frames) == 0 && l.peak > framesKeep { // a map never shrinks
		l.frames = make(map[*byte]entry)
		l.peak = 0
	}
}

// Share returns one client's part of a frame: the frame's size divided by the number of clients that it waits for.
func (l *Ledger) Share(frame []byte) int {
	e := l.frames[&frame[len(frame)-1]]
	if e.refs == 0 {
		return 0
	}
	return slotBytes + (frameBytes+int(e.size))/int(e.refs)
}

// List lists h as a holder that may be ended. It does nothing if h is listed.
//
// Holders that hold nothing any more unlist themselves when they are looked at. List looks at all of them each time
// that their number has doubled, so it takes constant time on the average. One call takes a tenth of a microsecond for
// each listed holder: a millisecond for 10,000 clients of one loop that wait at once, with 40 MB at least, and then not
// again before there are 20,000.
func (l *Ledger) List(h Holder) {
	if len(l.listed) >= 2*max(l.pruned, ListMin/64) {
		for old := range l.listed {
			old.Held()
		}
		l.pruned = len(l.listed)
	}
	l.listed[h] = struct{}{}
	if l.budget.over.Load() {
		l.budget.check()
	}
}

// Unlist takes h off the list. It does nothing if h is not listed.
func (l *Ledger) Unlist(h Holder) {
	delete(l.listed, h)
}

// Listed returns the number of holders that are listed.
func (l *Ledger) Listed() int { return len(l.listed) }

// Move notes that the amount of a holder has changed. It adds the difference, and lists or unlists the holder where the
// amount passes ListMin.
func (l *Ledger) Move(h Holder, from, to int) {
	if l.budget == nil || from == to {
		return
	}
	l.Add(to - from)
	switch {
	case from < ListMin && to >= ListMin:
		l.List(h)
	case from >= ListMin && to < ListMin:
		l.Unlist(h)
	}
}
