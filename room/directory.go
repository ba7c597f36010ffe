package room

import (
	"hash/maphash"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// stripesSmall is the number of stripes of a small directory, of which there may be very many.
	stripesSmall = 4

	// stripes is the number of maps, each with its own lock, that a directory
	// spreads its names over. It is a power of two, and well above the number of
	// cores that may join rooms at the same time.
	stripes = 64

	// stripeKeep is the number of rooms up to which an empty map is kept. A map
	// that once held more is dropped when it is empty, as maps do not shrink.
	stripeKeep = 64
)

// Directory maps the room names of one namespace to its rooms. It is safe for
// concurrent use. Two namespaces have two directories, so equal names in them
// are different rooms.
type Directory struct {
	shards   int
	seed     maphash.Seed
	everyone *Room
	// table has the stripes, which are made for the first room; size is their number.
	table atomic.Pointer[[]stripe]
	size  uint64
	watch atomic.Pointer[func(name string, created bool)]
	// taken reports names that must not become rooms; nil means none.
	taken func(name string) bool
}

// stripe is one of the directory's maps. It is safe for concurrent use.
//
// The write lock is needed to add or remove a room. The read lock is enough to
// take a reference of a room that is there, as no room is removed meanwhile.
type stripe struct {
	mu    sync.RWMutex
	rooms map[string]*Room // guarded by mu
	peak  int              // guarded by mu; the most rooms since the map was made

	_ [24]byte // a stripe fills a cache line of its own
}

// NewDirectory returns an empty directory for the given number of shards, the
// event loops of the server. Fewer than one counts as one.
func NewDirectory(shards int) *Directory { return newDirectory(shards, stripes) }

// NewSmallDirectory is NewDirectory for a namespace of which there may be
// thousands: it has fewer locks, and takes less memory.
func NewSmallDirectory(shards int) *Directory { return newDirectory(shards, stripesSmall) }

func newDirectory(shards, size int) *Directory {
	shards = max(shards, 1)
	return &Directory{
		shards:   shards,
		seed:     maphash.MakeSeed(),
		everyone: newRoom("", shards, nil),
		size:     uint64(size),
	}
}

// Reserve prevents rooms with names for which taken returns true: a name with another
// meaning must not become a room's name too. It must be called before the directory is
// used. taken runs with a lock held and must not use the directory.
func (d *Directory) Reserve(taken func(name string) bool) { d.taken = taken }

// Everyone returns the room of all sockets of the namespace, for broadcasts that name no room. It always exists; Len
// and All do not count it, and Lookup does not find it. It takes references by [Directory.Retain] and returns them by
// [Directory.Release], which never removes it.
func (d *Directory) Everyone() *Room { return d.everyone }

// Acquire finds or makes the room of that name and counts one reference of the shard on
// which the new member lives. created reports whether the room was made. The caller must
// call [Directory.Release] once, on the loop, after [Shard.Leave] or when [Shard.Join]
// reports false. The shard must be one of the directory's. If the name is reserved (see
// [Directory.Reserve]) and there is no room, r is nil and there is nothing to release.
func (d *Directory) Acquire(name string, shard int) (r *Room, created bool) {
	d.mustHave(shard)
	st := d.stripeFor(name)

	st.mu.RLock()
	r = st.rooms[name]
	if r != nil {
		r.acquire(shard)
	}
	st.mu.RUnlock()
	if r != nil {
		return r, false
	}

	st.mu.Lock()
	defer st.mu.Unlock()
	r = st.rooms[name]
	if r == nil {
		if d.taken != nil && d.taken(name) {
			return nil, false
		}
		// The clone keeps a name that is a piece of a large message from
		// holding the message in memory.
		r = newRoom(strings.Clone(name), d.shards, st)
		st.add(r)
		created = true
		d.tell(r.name, true)
	}
	r.acquire(shard)
	return r, created
}

// Retain counts one more reference of a shard, without a lock or a look-up: for
// [Directory.Everyone], and for a loop that joins many members to a room of
// which it already holds a reference. It reports false, and counts nothing, if
// the room has ended; a caller who holds a reference never sees that.
func (d *Directory) Retain(r *Room, shard int) bool {
	d.mustHave(shard)
	if r.isEveryone() {
		r.acquire(shard)
		return true
	}
	for {
		n := r.refs.Load()
		if n <= 0 {
			return false
		}
		if r.refs.CompareAndSwap(n, n+1) {
			r.acquirePart(shard)
			return true
		}
	}
}

// Release returns one reference of a shard. removed reports whether it was the room's
// last reference and the room is removed from the directory. Of several concurrent
// releases exactly one reports it, and none if another goroutine acquired the room in
// between. Only a release that drops the count to zero takes a lock. A surplus release is
// ignored.
func (d *Directory) Release(r *Room, shard int) (removed bool) {
	d.mustHave(shard)
	p := r.partOn(shard)
	if p == nil {
		return false
	}
	if p.refs.Add(-1) < 0 {
		p.refs.Add(1)
		return false
	}
	if r.refs.Add(-1) > 0 || r.isEveryone() {
		return false
	}
	r.home.mu.Lock()
	defer r.home.mu.Unlock()
	if removed = r.home.removeUnused(r); removed {
		d.tell(r.name, false)
	}
	return removed
}

// Watch sets the function that is called when a room is made and when one is removed; nil
// clears it. The calls for one name alternate and are in order. fn runs inside Acquire and
// Release, with a lock held: it must do no more than record the event.
func (d *Directory) Watch(fn func(name string, created bool)) {
	if fn == nil {
		d.watch.Store(nil)
		return
	}
	d.watch.Store(&fn)
}

// tell calls the function set by Watch. The caller holds the stripe's write lock.
func (d *Directory) tell(name string, created bool) {
	if fn := d.watch.Load(); fn != nil {
		(*fn)(name, created)
	}
}

// Lookup returns the room of that name, or nil if it has no members and nobody is joining.
func (d *Directory) Lookup(name string) *Room {
	st := d.stripeOf(name)
	if st == nil {
		return nil
	}
	st.mu.RLock()
	r := st.rooms[name]
	st.mu.RUnlock()
	if r != nil && r.refs.Load() <= 0 {
		return nil // its last reference is just being released
	}
	return r
}

// Len returns the number of rooms, without Everyone.
func (d *Directory) Len() int {
	n := 0
	all := d.all()
	for i := range all {
		st := &all[i]
		st.mu.RLock()
		n += len(st.rooms)
		st.mu.RUnlock()
	}
	return n
}

// All yields the rooms, without Everyone, in no particular order. A room that exists during
// the whole iteration is yielded once. A room that is made or removed meanwhile is yielded
// at most once, unless it is removed and made again. No lock is held while yielding, so the
// loop body may use the directory.
func (d *Directory) All() iter.Seq[*Room] {
	return func(yield func(*Room) bool) {
		var rooms []*Room
		all := d.all()
		for i := range all {
			rooms = all[i].appendTo(rooms[:0])
			for _, r := range rooms {
				if r.refs.Load() > 0 && !yield(r) {
					return
				}
			}
		}
	}
}

// all returns the stripes; none before the first room.
func (d *Directory) all() []stripe {
	if t := d.table.Load(); t != nil {
		return *t
	}
	return nil
}

// stripeOf returns the stripe of that name; nil before the first room.
func (d *Directory) stripeOf(name string) *stripe {
	if all := d.all(); all != nil {
		return &all[maphash.String(d.seed, name)%d.size]
	}
	return nil
}

// stripeFor is stripeOf for a name whose room may be the first. It makes the stripes.
func (d *Directory) stripeFor(name string) *stripe {
	if st := d.stripeOf(name); st != nil {
		return st
	}
	made := make([]stripe, d.size)
	d.table.CompareAndSwap(nil, &made)
	return d.stripeOf(name)
}

// mustHave stops a caller that uses a shard of another server before it counts
// half a reference. No message from a client can choose a shard.
func (d *Directory) mustHave(shard int) {
	if uint(shard) >= uint(d.shards) {
		panic("room: no such shard")
	}
}

// add maps a new room. The caller holds the write lock.
func (st *stripe) add(r *Room) {
	if st.rooms == nil {
		st.rooms = make(map[string]*Room)
	}
	st.rooms[r.name] = r
	st.peak = max(st.peak, len(st.rooms))
}

// removeUnused removes r if it is still mapped and still unused: since the
// count was seen to be zero somebody may have acquired the room, and may even
// have released it and removed it. The caller holds the write lock.
func (st *stripe) removeUnused(r *Room) bool {
	if r.refs.Load() > 0 || st.rooms[r.name] != r {
		return false
	}
	delete(st.rooms, r.name)
	if len(st.rooms) == 0 && st.peak > stripeKeep {
		st.rooms, st.peak = nil, 0
	}
	return true
}

func (st *stripe) appendTo(rooms []*Room) []*Room {
	st.mu.RLock()
	defer st.mu.RUnlock()
	for _, r := range st.rooms {
		rooms = append(rooms, r)
	}
	return rooms
}
