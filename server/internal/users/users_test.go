package users

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

type socket struct {
	id    int
	entry Entry[socket]
}

func entryOf(s *socket) *Entry[socket] {
	if s.entry.User == "" {
		return nil
	}
	return &s.entry
}

// of returns the ids of a user's sockets, sorted.
func of(m *Map[socket], user string) (ids []int) {
	m.Each(user, func(s *socket) { ids = append(ids, s.id) })
	slices.Sort(ids)
	return ids
}

// TestMap compares the map with a plain one, while sockets come and go in any order.
func TestMap(t *testing.T) {
	for _, users := range []int{1, 3, 200} {
		t.Run(fmt.Sprint(users), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(users)))
			m := New(4, entryOf)
			want := map[string][]*socket{}
			name := func() string { return fmt.Sprint("user", rng.IntN(users)) }
			for i := range 4000 {
				user := name()
				if list := want[user]; len(list) > 0 && rng.IntN(2) == 0 {
					at := rng.IntN(len(list))
					m.Remove(list[at])
					m.Remove(list[at]) // it is not there any more
					want[user] = slices.Delete(list, at, at+1)
				} else {
					s := &socket{id: i, entry: Entry[socket]{User: user}}
					m.Remove(s) // it is not there yet
					m.Add(s)
					want[user] = append(list, s)
				}
				for _, u := range []string{user, name(), "nobody"} {
					ids := []int(nil)
					for _, s := range want[u] {
						ids = append(ids, s.id)
					}
					if slices.Sort(ids); !slices.Equal(of(m, u), ids) {
						t.Fatalf("step %d, %s: got %v, want %v", i, u, of(m, u), ids)
					}
				}
			}
		})
	}
}

// TestSocketsWithoutUser shows that a socket without a user is in no list, and that an unused map stays small.
func TestSocketsWithoutUser(t *testing.T) {
	m := New(4, entryOf)
	s := new(socket)
	m.Add(s)
	m.Remove(s)
	if m.stripes.Load() != nil || of(m, "") != nil {
		t.Error("the map has something for a socket without a user")
	}
}

// TestUsersShareAHash shows that users whose names have the same hash share a list, but not their sockets.
func TestUsersShareAHash(t *testing.T) {
	m := New(1, entryOf)
	ann, bob := &socket{1, Entry[socket]{User: "ann"}}, &socket{2, Entry[socket]{User: "bob"}}
	m.Add(ann)
	st, hash := m.stripe("ann")
	ann.entry.next, bob.entry.prev = bob, ann // as if bob had the hash of ann
	if got := of(m, "ann"); !slices.Equal(got, []int{1}) || st.first[hash] != ann {
		t.Error(got)
	}
}

// TestMemoryIsReleased shows that a stripe forgets its map when many users have left.
func TestMemoryIsReleased(t *testing.T) {
	m := New(1, entryOf)
	var all []*socket
	for i := range keep + 1 {
		s := &socket{i, Entry[socket]{User: fmt.Sprint(i)}}
		m.Add(s)
		all = append(all, s)
	}
	for _, s := range all {
		m.Remove(s)
	}
	if st := &(*m.stripes.Load())[0]; st.first != nil || st.peak != 0 {
		t.Error("the map of the stripe is kept:", st.peak)
	}
}

// TestConcurrentUse lets sockets of one user come and go on several goroutines.
func TestConcurrentUse(t *testing.T) {
	m := New(4, entryOf)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 500 {
				s := &socket{g*1000 + i, Entry[socket]{User: "ann"}}
				m.Add(s)
				if !slices.Contains(of(m, "ann"), s.id) {
					t.Error("a socket is not found")
				}
				m.Remove(s)
			}
		})
	}
	all.Wait()
	if got := of(m, "ann"); got != nil {
		t.Error(got)
	}
}
