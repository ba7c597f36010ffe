package profile

import (
	"slices"
	"sync"
	"time"
)

// publication is one message that was sent.
type publication struct {
	sender int32         // number of the user, nobody for HTTP
	due    time.Duration // after the beginning of the run
	void   bool          // it was refused, so nobody is to get it
}

// nobody is the sender of a publication by HTTP.
const nobody = -1

// book has all publications of a run, by their numbers. Safe for concurrent use.
type book struct {
	mu   sync.RWMutex // guards what follows
	list []publication
	// own has the numbers of each sender's publications that are not void, voids those that are, all in ascending order:
	// every user asks again and again how many it is to get, and a run may have millions.
	own   map[int32][]int
	voids []int
}

// add enters a publication and returns its number.
func (b *book) add(sender int, due time.Duration) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.list)
	b.list = append(b.list, publication{sender: int32(sender), due: due})
	if sender != nobody {
		if b.own == nil {
			b.own = make(map[int32][]int)
		}
		b.own[int32(sender)] = append(b.own[int32(sender)], n)
	}
	return n
}

// void marks a publication as refused.
func (b *book) void(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &b.list[n]
	if p.void {
		return
	}
	p.void = true
	at, _ := slices.BinarySearch(b.voids, n)
	b.voids = slices.Insert(b.voids, at, n)
	own := b.own[p.sender]
	if at, ok := slices.BinarySearch(own, n); ok {
		b.own[p.sender] = slices.Delete(own, at, at+1)
	}
}

// get returns a publication; ok is false if there is none with that number.
func (b *book) get(n int) (p publication, ok bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if n < 0 || n >= len(b.list) {
		return p, false
	}
	return b.list[n], true
}

// size returns the number of publications so far.
func (b *book) size() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.list)
}

// expected returns how many of the publications from first to last-1 a user is to get.
func (b *book) expected(first, last, user int, to string) (n int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	last = min(last, len(b.list))
	if first >= last {
		return 0
	}
	all, own := last-first-between(b.voids, first, last), between(b.own[int32(user)], first, last)
	switch to {
	case toOthers:
		return all - own
	case toSender:
		return own
	}
	return all
}

// between returns how many of the numbers, which ascend, are from first to last-1.
func between(numbers []int, first, last int) int {
	from, _ := slices.BinarySearch(numbers, first)
	to, _ := slices.BinarySearch(numbers, last)
	return to - from
}

// isFor reports whether a user is to get the publication.
func (p publication) isFor(user int, to string) bool {
	switch {
	case p.void:
		return false
	case to == toOthers:
		return int(p.sender) != user
	case to == toSender:
		return int(p.sender) == user
	}
	return true
}
