package server

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// How many stripes a map of sockets has: of a namespace that the application named, and of a child, of which there
// may be many thousands.
const (
	socketStripes = 64
	childStripes  = 4
)

// socketMap finds the sockets of a namespace by id. Safe for concurrent use: it is striped, so that the loops that
// connect sockets and the goroutines that look them up seldom meet. The stripes are made for the first socket.
type socketMap struct {
	seed    maphash.Seed
	size    uint64
	stripes atomic.Pointer[[]socketStripe]
}

type socketStripe struct {
	mu sync.RWMutex
	// byID has nil for a socket that is away and may come back: nobody finds it, but its id is taken.
	byID map[string]*Socket
	away int // how many are nil
	// peak is the most sockets that the map has held: it does not shrink by itself.
	peak int
	_    [16]byte
}

// socketsKeep is the peak up to which an empty map is kept.
const socketsKeep = 64

func newSocketMap(stripes int) *socketMap {
	return &socketMap{seed: maphash.MakeSeed(), size: uint64(stripes)}
}

// list are the stripes; none before the first socket.
func (m *socketMap) list() []socketStripe {
	if s := m.stripes.Load(); s != nil {
		return *s
	}
	return nil
}

// stripe is where a socket of that id is; nil before the first socket.
func (m *socketMap) stripe(id string) *socketStripe {
	if s := m.list(); s != nil {
		return &s[maphash.String(m.seed, id)%m.size]
	}
	return nil
}

// stripeIndex is the index of the stripe where a socket of that id is. It never changes.
func (m *socketMap) stripeIndex(id string) int { return int(maphash.String(m.seed, id) % m.size) }

// inStripe is a snapshot of the sockets of one stripe.
func (m *socketMap) inStripe(i int) []*Socket {
	stripes := m.list()
	if i >= len(stripes) {
		return nil
	}
	st := &stripes[i]
	st.mu.RLock()
	defer st.mu.RUnlock()
	out := make([]*Socket, 0, len(st.byID)-st.away)
	for _, s := range st.byID {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}

// add adds a socket. It may have been away, as another Socket.
func (m *socketMap) add(s *Socket) {
	st := m.stripe(s.id)
	if st == nil {
		made := make([]socketStripe, m.size)
		m.stripes.CompareAndSwap(nil, &made)
		st = m.stripe(s.id)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.byID == nil {
		st.byID = make(map[string]*Socket)
	}
	if old, ok := st.byID[s.id]; ok && old == nil {
		st.away--
	}
	st.byID[s.id] = s
	st.peak = max(st.peak, len(st.byID))
}

// remove takes out a socket that has ended.
func (m *socketMap) remove(s *Socket) {
	m.change(s.id, func(st *socketStripe, found *Socket) {
		if found == s {
			st.drop(s.id)
		}
	})
}

// leave takes out a socket that may come back: its id stays taken, until forget or add.
func (m *socketMap) leave(s *Socket) {
	m.change(s.id, func(st *socketStripe, found *Socket) {
		if found == s {
			st.byID[s.id] = nil
			st.away++
		}
	})
}

// forget gives up the id of a socket that is away.
func (m *socketMap) forget(id string) {
	m.change(id, func(st *socketStripe, found *Socket) {
		if found == nil {
			st.away--
			st.drop(id)
		}
	})
}

// change calls fn, with the lock held, if the id is taken; found is nil when its socket is away.
func (m *socketMap) change(id string, fn func(st *socketStripe, found *Socket)) {
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
func (st *socketStripe) drop(id string) {
	delete(st.byID, id)
	if len(st.byID) == 0 && st.peak > socketsKeep {
		st.byID, st.peak = nil, 0
	}
}

// get finds a socket; nil when there is none, or when it is away.
func (m *socketMap) get(id string) *Socket {
	st := m.stripe(id)
	if st == nil {
		return nil
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.byID[id]
}

// taken reports whether a socket has that id, be it away.
func (m *socketMap) taken(id string) bool {
	st := m.stripe(id)
	if st == nil {
		return false
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	_, ok := st.byID[id]
	return ok
}

// all is a snapshot of the sockets.
func (m *socketMap) all() []*Socket {
	var out []*Socket
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

func (m *socketMap) len() int {
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
