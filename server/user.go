package server

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/room"
)

// SetUser sets the user of the socket: the name or id of a person or account, as the application knows it.
// Operator.Users then selects the socket by it. Call it in a middleware, so that the socket has its user before anybody
// can find it. The empty string removes the user. A socket that comes back (Config.Recovery) has the user of its former
// life. After the socket's end SetUser does nothing. It costs an idle socket the length of the name and about 100
// bytes.
func (s *Socket) SetUser(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.extra.Load()
	if s.closed.Load() || e == nil && user == "" {
		return
	}
	e = s.extras()
	if e.user == user {
		return
	}
	s.ns.users.remove(s, e)
	e.user = user
	if s.announced {
		s.ns.users.add(s, e)
	}
}

// User returns the user of SetUser, or "" if it was not called. It stays after the socket's end.
func (s *Socket) User() string {
	if s.extra.Load() == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra.Load().user
}

// Users adds all sockets of these users to those in the rooms of To: the broadcast goes to the sockets of any of the
// users and in any of the rooms, once each. With neither users nor rooms it is for the whole namespace, so Users of an
// empty list changes nothing. See Socket.SetUser. Other nodes need an adapter that supports users.
func (o Operator) Users(users ...string) Operator {
	o.users = append(o.users[:len(o.users):len(o.users)], users...)
	return o
}

// Users selects all sockets of these users; see Operator.Users.
func (ns *Namespace) Users(users ...string) Operator { return ns.all().Users(users...) }

// userMap finds the sockets of a namespace by their user. Safe for concurrent use. The sockets of a user are a list
// whose links are in the sockets themselves. The stripes are made for the first user.
type userMap struct {
	seed    maphash.Seed
	size    uint64
	stripes atomic.Pointer[[]userStripe]
}

type userStripe struct {
	mu sync.RWMutex
	// first has the sockets by the hash of their user, which takes less memory than the name. Users with the same hash
	// share a list. Guarded by mu, as are the links of the sockets; a socket's user does not change while it is there.
	first map[uint64]*Socket
	peak  int      // guarded by mu; the most users that the map has held: it does not shrink by itself
	_     [24]byte // a cache line of its own
}

// userLinks is a socket's place in the list of its user's sockets. Guarded by the user's stripe.
type userLinks struct{ prev, next *Socket }

func newUserMap(stripes int) *userMap {
	return &userMap{seed: maphash.MakeSeed(), size: uint64(stripes)}
}

// stripe is where a user's sockets are, and their key there; nil before the first user.
func (m *userMap) stripe(user string) (st *userStripe, hash uint64) {
	if s := m.stripes.Load(); s != nil {
		hash = maphash.String(m.seed, user)
		return &(*s)[hash%m.size], hash
	}
	return nil, 0
}

// add adds a socket, if it has a user. Called with the socket's mutex held; e is the socket's extra.
func (m *userMap) add(s *Socket, e *extra) {
	if e == nil || e.user == "" {
		return
	}
	st, hash := m.stripe(e.user)
	if st == nil {
		made := make([]userStripe, m.size)
		m.stripes.CompareAndSwap(nil, &made)
		st, hash = m.stripe(e.user)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.first == nil {
		st.first = make(map[uint64]*Socket)
	}
	if next := st.first[hash]; next != nil {
		e.links.next = next
		next.extra.Load().links.prev = s
	}
	st.first[hash] = s
	st.peak = max(st.peak, len(st.first))
}

// usersKeep is the peak up to which an empty map is kept.
const usersKeep = 64

// remove takes a socket out, if it is there. Called with the socket's mutex held; e is the socket's extra.
func (m *userMap) remove(s *Socket, e *extra) {
	if e == nil || e.user == "" {
		return
	}
	st, hash := m.stripe(e.user)
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	prev, next := e.links.prev, e.links.next
	switch {
	case prev != nil:
		prev.extra.Load().links.next = next
	case st.first[hash] != s:
		return // it is not there
	case next != nil:
		st.first[hash] = next
	default:
		delete(st.first, hash)
		if len(st.first) == 0 && st.peak > usersKeep {
			st.first, st.peak = nil, 0
		}
	}
	if next != nil {
		next.extra.Load().links.prev = prev
	}
	e.links = userLinks{}
}

// appendTo appends the members of a user's sockets.
func (m *userMap) appendTo(members []*room.Member, user string) []*room.Member {
	st, hash := m.stripe(user)
	if st == nil {
		return members
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	for s := st.first[hash]; s != nil; {
		e := s.extra.Load()
		if e.user == user {
			members = append(members, &s.member)
		}
		s = e.links.next
	}
	return members
}
