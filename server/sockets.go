package server

import (
	"hash/maphash"
	"sync"
)

// socketMap finds the sockets of a namespace by id. Safe for concurrent use: it is striped, so that the loops that
// connect sockets and the goroutines that look them up seldom meet.
type socketMap struct {
	seed    maphash.Seed
	stripes [64]socketStripe
}

type socketStripe struct {
	mu   sync.RWMutex
	byID map[string]*Socket
	_    [32]byte
}

func newSocketMap() *socketMap { return &socketMap{seed: maphash.MakeSeed()} }

func (m *socketMap) stripe(id string) *socketStripe {
	return &m.stripes[maphash.String(m.seed, id)%uint64(len(m.stripes))]
}

func (m *socketMap) add(s *Socket) {
	st := m.stripe(s.id)
	st.mu.Lock()
	if st.byID == nil {
		st.byID = make(map[string]*Socket)
	}
	st.byID[s.id] = s
	st.mu.Unlock()
}

func (m *socketMap) remove(s *Socket) {
	st := m.stripe(s.id)
	st.mu.Lock()
	delete(st.byID, s.id)
	st.mu.Unlock()
}

func (m *socketMap) get(id string) *Socket {
	st := m.stripe(id)
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.byID[id]
}

// all is a snapshot of the sockets.
func (m *socketMap) all() []*Socket {
	var out []*Socket
	for i := range m.stripes {
		st := &m.stripes[i]
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
	for i := range m.stripes {
		st := &m.stripes[i]
		st.mu.RLock()
		n += len(st.byID)
		st.mu.RUnlock()
	}
	return n
}
