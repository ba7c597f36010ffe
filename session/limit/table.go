package limit

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// stripes is the number of parts of a Table: so many loops hardly ever wait for each other.
	stripes = 64
	// BarredMax bounds the addresses that are barred at once. It takes about 2 MB, and an attacker that fills it has
	// used as many networks for BarTime; then the address that was barred first is let in.
	BarredMax = 64 << 10
	// shrinkMin is the least number of addresses for which memory is given back.
	shrinkMin = 64
)

// Table counts the sessions of client addresses, and bars addresses for a while. It has an entry for an address only
// while that has sessions or is barred, so it is as small as the number of sessions and BarredMax. Safe for concurrent
// use: for use when sessions begin and end. The zero value is not usable, see NewTable.
type Table struct {
	seed    maphash.Seed
	barred  atomic.Int64
	stripes [stripes]stripe
}

// stripe is the part of a Table for some of the addresses.
type stripe struct {
	mu sync.Mutex // guards what follows
	// sessions has the number of sessions of each address that has some; peak is the greatest length since the map was
	// made, because maps never shrink.
	sessions map[Address]int
	peak     int
	// barred has the time until which addresses are refused.
	barred map[Address]int64
	_      [24]byte // a cache line of its own
}

// NewTable returns an empty table.
func NewTable() *Table { return &Table{seed: maphash.MakeSeed()} }

func (t *Table) stripe(a Address) *stripe {
	return &t.stripes[maphash.Comparable(t.seed, a)%stripes]
}

// Enter counts a session of the address, and reports whether it may begin. It counts nothing if the address has most
// sessions already.
func (t *Table) Enter(a Address, most int) bool {
	s := t.stripe(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[a] >= most {
		return false
	}
	if s.sessions == nil {
		s.sessions = make(map[Address]int)
	}
	s.sessions[a]++
	s.peak = max(s.peak, len(s.sessions))
	return true
}

// Leave takes back one Enter that has returned true.
func (t *Table) Leave(a Address) {
	s := t.stripe(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[a]--; s.sessions[a] > 0 {
		return
	}
	delete(s.sessions, a)
	if s.peak >= shrinkMin && len(s.sessions) < s.peak/4 {
		smaller := make(map[Address]int, len(s.sessions))
		for a, n := range s.sessions {
			smaller[a] = n
		}
		s.sessions, s.peak = smaller, len(smaller)
	}
}

// Sessions returns the number of sessions of the address.
func (t *Table) Sessions(a Address) int {
	s := t.stripe(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[a]
}

// Bar refuses the address until that time. If too many are barred, the one whose time is over first is forgotten.
func (t *Table) Bar(a Address, now, until int64) {
	s := t.stripe(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.barred == nil {
		s.barred = make(map[Address]int64)
	}
	before := len(s.barred)
	if _, known := s.barred[a]; !known && before >= BarredMax/stripes {
		s.makeRoom(now)
	}
	s.barred[a] = until
	t.barred.Add(int64(len(s.barred) - before))
}

// makeRoom removes the addresses whose time is over, or the one whose time is over first. Called with the lock held.
func (s *stripe) makeRoom(now int64) {
	var first Address
	soonest, before := int64(0), len(s.barred)
	for a, until := range s.barred {
		if until <= now {
			delete(s.barred, a)
		} else if first == 0 || until < soonest {
			first, soonest = a, until
		}
	}
	if len(s.barred) == before {
		delete(s.barred, first)
	}
}

// AnyBarred reports whether some addresses may be barred.
func (t *Table) AnyBarred() bool { return t.barred.Load() > 0 }

// Barred returns how long the address is still refused; 0 if it is not.
func (t *Table) Barred(a Address, now int64) time.Duration {
	if !t.AnyBarred() {
		return 0
	}
	s := t.stripe(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.barred[a]
	if ok && until <= now {
		delete(s.barred, a)
		t.barred.Add(-1)
		return 0
	}
	return time.Duration(max(until-now, 0))
}
