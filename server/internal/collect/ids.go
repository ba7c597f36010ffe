package collect

import "sync"

// Packet ids that ask for an acknowledgement are one number line for each socket: below BroadcastIDs each socket
// counts for itself, from there on the namespace counts its broadcasts, which have one id for all their sockets.
// Clients in Java and C++ keep ids in 32 bits with a sign, so they stay below IDsEnd.
const (
	BroadcastIDs = 1 << 30
	IDsEnd       = 1 << 31
)

// IDs gives the broadcasts of a namespace that wait for acknowledgements their packet ids, and bounds their number.
// The zero value is empty. Safe for concurrent use.
type IDs struct {
	mu   sync.Mutex
	used map[uint32]struct{} // guarded by mu
	next uint32              // guarded by mu
}

// Assign gives the wait of a broadcast an unused id. It returns false when max ids are used.
func (t *IDs) Assign(w *Wait, max int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.used) >= max {
		return false
	}
	if t.used == nil {
		t.used = map[uint32]struct{}{}
	}
	for used := true; used; _, used = t.used[w.ID] {
		w.ID = BroadcastIDs + t.next
		t.next = (t.next + 1) % (IDsEnd - BroadcastIDs)
	}
	t.used[w.ID] = struct{}{}
	return true
}

// Free frees the id of a wait.
func (t *IDs) Free(w *Wait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.used, w.ID)
}

// Len returns the number of used ids.
func (t *IDs) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.used)
}
