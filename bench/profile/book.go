package profile

import (
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
	mu   sync.RWMutex
	list []publication
}

// add enters a publication and returns its number.
func (b *book) add(sender int, due time.Duration) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, publication{sender: int32(sender), due: due})
	return len(b.list) - 1
}

// void marks a publication as refused.
func (b *book) void(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list[n].void = true
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
	for _, p := range b.list[min(first, len(b.list)):min(last, len(b.list))] {
		if p.isFor(user, to) {
			n++
		}
	}
	return n
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
