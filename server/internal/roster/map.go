package roster

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// The numbers of stripes of a map of sockets: for a namespace of the application, and for a child, of which there may
// be many thousands.
const (
	Stripes      = 64
	SmallStripes = 4
)

// Map finds the sockets of a namespace by id. Safe for concurrent use. It is striped, so that loops that connect
// sockets seldom wait for goroutines that look them up. The stripes are made for the first socket.
type Map[S any] struct {
	seed    maphash.Seed
	size    uint64
	stripes atomic.Pointer[[]stripe[S]]
}

type stripe[S any] struct {
	mu sync.RWMutex
	// byID has nil for an absent socket that may come back: its id is taken, and Get returns nil.
	byID map[string]*S
	away int // how many are nil
	// peak is the greatest number of sockets that the map has held, because a map does not shrink.
	peak int
	_    [16]byte
}

// keep is the peak up to which an empty map is kept.
const keep = 64

// New returns an empty map with that many stripes.
func New[S any](stripes int) *Map[S] {
	return &Map[S]{seed: maphash.MakeSeed(), size: uint64(stripes)}
}

// list returns the stripes; there are none before the first socket.
func (m *Map[S]) list() []stripe[S] {
	if s := m.stripes.Load(); s != nil {
		return *s
	}
	return nil
}

// stripe returns the stripe of that id, or nil before the first socket.
func (m *Map[S]) stripe(id string) *stripe[S] {
	if s := m.list(); s != nil {
		return &s[maphash.String(m.seed, id)%m.size]
	}
	return nil
}

// Size returns the number of stripes, which never changes.
func (m *Map[S]) Size() uint64 { return m.size }

// StripeIndex returns the index of the stripe of that id. It never changes.
func (m *Map[S]) StripeIndex(id string) int { return int(maphash.String(m.seed, id) % m.size) }

// InStripe returns a snapshot of the sockets of one stripe.
func (m *Map[S]) InStripe(i int) []*S {
	stripes := m.list()
	if i >= len(stripes) {
		return nil
	}
	st := &stripes[i]
	st.mu.RLock()
	defer st.mu.RUnlock()
	out := make([]*S, 0, len(st.byID)-st.away)
	for _, s := range st.byID {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Add adds a socket. It may have been away, as another *S.
func (m *Map[S]) Add(id string, s *S) {
	st := m.stripe(id)
	if st == nil {
		made := make([]stripe[S], m.size)
		m.stripes.CompareAndSwap(nil, &made)
		st = m.stripe(id)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.byID == nil {
		st.byID = make(map[string]*S)
	}
	if old, ok := st.byID[id]; ok && old == nil {
		st.away--
	}
	st.byID[id] = s
	st.peak = max(st.peak, len(st.byID))
}

// Remove removes a socket that has ended.
func (m *Map[S]) Remove(id string, s *S) {
	m.change(id, func(st *stripe[S], found *S) {
		if found == s {
			st.drop(id)
		}
	})
}

// Leave removes a socket that may come back: its id stays taken until Forget or Add.
func (m *Map[S]) Leave(id string, s *S) {
	m.change(id, func(st *stripe[S], found *S) {
		if found == s {
			st.byID[id] = nil
			st.away++
		}
	})
}

// Forget releases the id of an absent socket.
func (m *Map[S]) Forget(id string) {
	m.change(id, func(st *stripe[S], found *S) {
		if found == nil {
			st.away--
			st.drop(id)
		}
	})
}

// change calls fn, with the lock held, if the id is taken. found is nil if its socket is absent.
func (m *Map[S]) change(id string, fn func(st *stripe[S], found *S)) {
	st := m.stripe(id)
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if found, ok := st.byID[id]; ok {
		fn(st, found)
	}
}

// drop is called with the lock held.
func (st *stripe[S]) drop(id string) {
	delete(st.byID, id)
	if len(st.byID) == 0 && st.peak > keep {
		st.byID, st.peak = nil, 0
	}
}

// Get returns a socket, or nil if there is none or it is absent.
func (m *Map[S]) Get(id string) *S {
	st := m.stripe(id)
	if st == nil {
		return nil
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.byID[id]
}

// Taken reports whether a socket, present or absent, has that id.
func (m *Map[S]) Taken(id string) bool {
	st := m.stripe(id)
	if st == nil {
		return false
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	_, ok := st.byID[id]
	return ok
}

// All returns a snapshot of the sockets.
func (m *Map[S]) All() []*S {
	var out []*S
	stripes := m.list()
	for i := range stripes {
		st := &stripes[i]
		st.mu.RLock()
		for _, s := range st.byID {
			if s != nil {
				out = append(out, s)
			}
		}
		st.mu.RUnlock()
	}
	return out
}

// Len returns the number of sockets, without the absent ones.
func (m *Map[S]) Len() int {
	n := 0
	stripes := m.list()
	for i := range stripes {
		st := &stripes[i]
		st.mu.RLock()
		n += len(st.byID) - st.away
		st.mu.RUnlock()
	}
	return n
}
