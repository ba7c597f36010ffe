package memory

import "sync/atomic"

const (
	// ListMin is the least number of bytes for which a Holder is listed. Less is in the order of what a connection
	// takes anyway.
	ListMin = 4 << 10
	// slotBytes is what a reference to a frame counts for: its place in a list.
	slotBytes = 32
	// frameBytes is what a frame counts for besides its bytes: the object around them and its entry in the ledger.
	frameBytes = 64
	// framesKeep is the largest number of entries for which an empty map is kept.
	framesKeep = 1 << 12
)

// Holder is a client, or a part of one, that holds memory and can be ended. Its methods are called on the loop of the
// ledger that lists it, outside of walks over collections of clients.
type Holder interface {
	// Held returns how many bytes would be free if the holder ended. A holder may unlist itself in the call.
	Held() int
	// Evict ends the client and frees what it holds, at once or in the current entry of the loop.
	Evict()
}

// Ledger has what the clients of one event loop hold. It is loop-owned except for Add, Held, Depart and Arrive. The
// zero value is ready; it keeps no account until a Budget has it.
type Ledger struct {
	budget *Budget
	post   func(fn func())
	frames map[*byte]entry
	listed map[Holder]struct{}
	// pruned is the number of listed holders after they were last looked at.
	pruned int
	// peak is the largest number of frames since the map was made.
	peak int
	// next is the sum at which the budget is compared next.
	next int64

	_    [64]byte
	held atomic.Int64
	// coming is the part of held that Depart has added.
	coming atomic.Int64
	_      [48]byte // goroutines that run handlers write them
}

// entry is a frame that waits.
type entry struct {
	refs int32 // connections and sessions that it waits for
	size int32
}

// On reports whether an account is kept. Without one, Hold, Drop and List must not be called.
func (l *Ledger) On() bool { return l.budget != nil }

// Held returns the sum. Safe for concurrent use.
func (l *Ledger) Held() int64 { return l.held.Load() }

// Add adds n bytes, or takes them off when n is negative. Positive numbers are added on the loop only; taking off is
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

// departMin is the least size of packets that Depart counts: a mailbox is bounded by the number of its tasks, too.
const departMin = 1 << 10

// Depart adds a packet of n bytes that is posted to the loop, where Arrive takes it off. It is false, and nothing is
// added, when all that is held is twice the budget and packets that are posted are a good part of that: whoever sends
// them is too fast. Safe for concurrent use.
func (l *Ledger) Depart(n int) bool {
	b := l.budget
	if b == nil || n < departMin {
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
	if l.budget != nil && n >= departMin {
		l.coming.Add(-int64(n))
		l.held.Add(-int64(n))
	}
}

// Hold adds a frame that waits for one more client of the loop. A part of the frame that includes its end stands for
// all of it: connections cut off what was sent.
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

// Drop takes a frame off that Hold has added, for one client.
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

// Share returns what one client's part of a frame is: what it takes, divided by the clients that it waits for.
func (l *Ledger) Share(frame []byte) int {
	e := l.frames[&frame[len(frame)-1]]
	if e.refs == 0 {
		return 0
	}
	return slotBytes + (frameBytes+int(e.size))/int(e.refs)
}

// List makes h one of those that may be ended. It does nothing when h is listed.
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

// Unlist takes h off the list. It does nothing when h is not listed, or no account is kept.
func (l *Ledger) Unlist(h Holder) {
	delete(l.listed, h)
}

// Listed returns the number of holders that are listed.
func (l *Ledger) Listed() int { return len(l.listed) }

// Move adds the difference between two amounts of a holder and lists it, or takes it off the list, where it passes
// ListMin.
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
