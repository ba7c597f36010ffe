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
	mu   sync.RWMutex
	byID map[string]*Socket
	// peak is the most sockets that the map has held: it does not shrink by itself.
	peak int
	_    [24]byte
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

func (m *socketMap) add(s *Socket) {
	st := m.stripe(s.id)
	if st == nil {
		made := make([]socketStripe, m.size)
		m.stripes.CompareAndSwap(nil, &made)
		st = m.stripe(s.id)
	}
	st.mu.Lock()
	if st.byID == nil {
		st.byID = make(map[string]*Socket)
	}
	st.byID[s.id] = s
	st.peak = max(st.peak, len(st.byID))
	st.mu.Unlock()
}

func (m *socketMap) remove(s *Socket) {
	st := m.stripe(s.id)
	if st == nil {
		return
	}
	st.mu.Lock()
	if st.byID[s.id] == s { // it may have come back already, as another Socket
		delete(st.byID, s.id)
		if len(st.byID) == 0 && st.peak > socketsKeep {
			st.byID, st.peak = nil, 0
		}
	}
	st.mu.Unlock()
}

func (m *socketMap) get(id string) *Socket {
	st := m.stripe(id)
	if st == nil {
		return nil
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.byID[id]
}

// all is a snapshot of the sockets.
func (m *socketMap) all() []*Socket {
	var out []*Socket
	stripes := m.list()
	for i := range stripes {
		st := &stripes[i]
		st.mu.RLock()
		for _, s := range st.byID {
			out = append(out, s)
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
		n += len(st.byID)
		st.mu.RUnlock()
	}
	return n
}
