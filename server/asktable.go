package server

import (
	"sync"
	"sync/atomic"
)

// Packet ids that ask for an acknowledgement are one number line for each socket: below broadcastAcks each socket counts
// for itself, from there on the namespace counts its broadcasts, which have one id for all their sockets. Clients in
// Java and C++ keep ids in 32 bits with a sign, so they stay below ackIDs.
const (
	broadcastAcks = 1 << 30
	ackIDs        = 1 << 31
)

// askTable are the broadcasts of a namespace that wait for acknowledgements. There are few, if any: so a socket keeps
// nothing about them, but is looked for in each when it ends. Safe for concurrent use.
type askTable struct {
	// n is len(asks), for those who would only like to know that there are none.
	n    atomic.Int64
	mu   sync.RWMutex
	asks map[uint64]*ask // guarded by mu
	next uint64          // guarded by mu
}

// add gives the broadcast its id. It is false when there are max already.
func (t *askTable) add(a *ask, max int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asks) >= max {
		return false
	}
	if t.asks == nil {
		t.asks = map[uint64]*ask{}
	}
	for {
		a.id = broadcastAcks + t.next
		t.next = (t.next + 1) % (ackIDs - broadcastAcks)
		if t.asks[a.id] == nil {
			break
		}
	}
	t.asks[a.id] = a
	t.n.Store(int64(len(t.asks)))
	return true
}

func (t *askTable) remove(a *ask) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.asks, a.id)
	t.n.Store(int64(len(t.asks)))
}

func (t *askTable) get(id uint64) *ask {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.asks[id]
}

// all is a snapshot.
func (t *askTable) all() []*ask {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]*ask, 0, len(t.asks))
	for _, a := range t.asks {
		out = append(out, a)
	}
	return out
}

// answered hands an acknowledgement to the broadcast that waits for it; it is false when none does. Loop-only.
func (t *askTable) answered(s *Socket, id uint64, r func() Reply) bool {
	a := t.get(id)
	return a != nil && a.strike(s) && a.reply(r())
}

// left is the end of a socket: no broadcast waits for it any longer. Loop-only.
func (t *askTable) left(s *Socket) {
	if t.n.Load() == 0 {
		return
	}
	for _, a := range t.all() {
		if a.strike(s) {
			a.lose(1)
		}
	}
}
