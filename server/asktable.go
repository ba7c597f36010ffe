package server

import "sync"

// Packet ids that ask for an acknowledgement are one number line for each socket: below broadcastAcks each socket
// counts for itself, from there on the namespace counts its broadcasts, which have one id for all their sockets.
// Clients in Java and C++ keep ids in 32 bits with a sign, so they stay below ackIDs.
const (
	broadcastAcks = 1 << 30
	ackIDs        = 1 << 31
)

// askTable gives the broadcasts of a namespace that wait for acknowledgements their ids, and bounds their number. Safe
// for concurrent use.
type askTable struct {
	mu   sync.Mutex
	ids  map[uint32]struct{} // those in use; guarded by mu
	next uint32              // guarded by mu
}

// add gives the broadcast its id. It is false when there are max already.
func (t *askTable) add(a *ask, max int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ids) >= max {
		return false
	}
	if t.ids == nil {
		t.ids = map[uint32]struct{}{}
	}
	for used := true; used; _, used = t.ids[a.id] {
		a.id = broadcastAcks + t.next
		t.next = (t.next + 1) % (ackIDs - broadcastAcks)
	}
	t.ids[a.id] = struct{}{}
	return true
}

func (t *askTable) remove(id uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.ids, id)
}
