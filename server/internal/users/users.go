// Package users finds the sockets of a namespace by their users.
package users

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Map has the sockets of a namespace that have a user, by that user. The sockets of a user are a list, whose links are
// in the sockets themselves. Safe for concurrent use.
type Map[S any] struct {
	entry func(s *S) *Entry[S]
	seed  maphash.Seed
	size  uint64
	// stripes are made for the first user.
	stripes atomic.Pointer[[]stripe[S]]
}

// Entry is the part of a socket that a Map needs.
type Entry[S any] struct {
	// User is the socket's user, "" for none. It must not change while the socket is in the map. Whoever adds and
	// removes the socket guards it.
	User string
	// prev and next are neighbours in the user's list. Guarded by the user's stripe.
	prev, next *S
}

type stripe[S any] struct {
	mu sync.RWMutex
	// first has the sockets by the hash of their user, which takes less memory than the name. Users with the same hash
	// share a list. Guarded by mu, as are the links of the sockets.
	first map[uint64]*S
	peak  int      // guarded by mu; the most users that the map has held, because it does not shrink by itself
	_     [24]byte // a cache line of its own
}

// New returns an empty map with that number of stripes. entry returns where a socket has its Entry, or nil if it has no
// user.
func New[S any](stripes int, entry func(s *S) *Entry[S]) *Map[S] {
	return &Map[S]{entry: entry, seed: maphash.MakeSeed(), size: uint64(stripes)}
}

// stripe returns the stripe of a user's sockets and their key there; nil before the first user.
func (m *Map[S]) stripe(user string) (st *stripe[S], hash uint64) {
	if all := m.stripes.Load(); all != nil {
		hash = maphash.String(m.seed, user)
		return &(*all)[hash%m.size], hash
	}
	return nil, 0
}

// Add adds a socket that is not in the map, if it has a user. The caller keeps others from adding or removing the same
// socket meanwhile; Remove too.
func (m *Map[S]) Add(s *S) {
	e := m.entry(s)
	if e == nil || e.User == "" {
		return
	}
	st, hash := m.stripe(e.User)
	if st == nil {
		made := make([]stripe[S], m.size)
		m.stripes.CompareAndSwap(nil, &made)
		st, hash = m.stripe(e.User)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.first == nil {
		st.first = make(map[uint64]*S)
	}
	if next := st.first[hash]; next != nil {
		e.next = next
		m.entry(next).prev = s
	}
	st.first[hash] = s
	st.peak = max(st.peak, len(st.first))
}

// keep is the peak up to which an empty map of a stripe is kept.
const keep = 64

// Remove removes a socket, if it is in the map.
func (m *Map[S]) Remove(s *S) {
	e := m.entry(s)
	if e == nil || e.User == "" {
		return
	}
	st, hash := m.stripe(e.User)
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	prev, next := e.prev, e.next
	switch {
	case prev != nil:
		m.entry(prev).next = next
	case st.first[hash] != s:
		return // it is not there
	case next != nil:
		st.first[hash] = next
	default:
		delete(st.first, hash)
		if len(st.first) == 0 && st.peak > keep {
			st.first, st.peak = nil, 0
		}
	}
	if next != nil {
		m.entry(next).prev = prev
	}
	e.prev, e.next = nil, nil
}

// Each calls fn for each socket of a user, in no order, with a lock held.
func (m *Map[S]) Each(user string, fn func(s *S)) {
	st, hash := m.stripe(user)
	if st == nil {
		return
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	for s := st.first[hash]; s != nil; {
		e := m.entry(s)
		if e.User == user {
			fn(s)
		}
		s = e.next
	}
}
