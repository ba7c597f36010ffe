package session

import (
	"hash/maphash"
	"sync"
)

// The lengths of a session id from Config.GenerateID. The id is the session's password: 22 characters can hold 128 bits
// that cannot be guessed.
const (
	sidMin = 16
	sidMax = 128
)

// validSID reports whether an id is allowed for a session: it must be usable in URLs and cookies unchanged.
func validSID(sid string) bool {
	if len(sid) < sidMin || len(sid) > sidMax {
		return false
	}
	for i := range len(sid) {
		switch c := sid[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
		default:
			return false
		}
	}
	return true
}

// sidStripes is well above the number of loops that look up ids at the same time.
const sidStripes = 64

// sidTable maps ids from Config.GenerateID, which do not name a shard, to their home shards. Safe for concurrent use.
type sidTable struct {
	seed    maphash.Seed
	stripes [sidStripes]sidStripe
}

type sidStripe struct {
	mu    sync.RWMutex
	homes map[string]*Shard // guarded by mu
	_     [32]byte
}

func newSIDTable() *sidTable {
	t := &sidTable{seed: maphash.MakeSeed()}
	for i := range t.stripes {
		t.stripes[i].homes = make(map[string]*Shard)
	}
	return t
}

// claim records an id. It returns false if a session has that id.
func (t *sidTable) claim(sid string, home *Shard) bool {
	st := &t.stripes[maphash.String(t.seed, sid)%sidStripes]
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.homes[sid] != nil {
		return false
	}
	st.homes[sid] = home
	return true
}

func (t *sidTable) release(sid string) {
	st := &t.stripes[maphash.String(t.seed, sid)%sidStripes]
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.homes, sid)
}

// home returns the shard of the session with that id, or nil if there is none.
func (t *sidTable) home(sid []byte) *Shard {
	st := &t.stripes[maphash.Bytes(t.seed, sid)%sidStripes]
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.homes[string(sid)]
}
