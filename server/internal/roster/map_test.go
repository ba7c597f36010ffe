package roster

import (
	"fmt"
	"testing"
)

// The map of a namespace that was crowded once takes no memory when all have gone.
func TestMapShrinks(t *testing.T) {
	m := New[socket](1)
	for _, n := range []int{keep, 10 * keep} {
		var all []*socket
		for i := range n {
			s := &socket{id: fmt.Sprint(i)}
			all = append(all, s)
			m.Add(s.id, s)
		}
		for i, s := range all {
			if m.Len() != n-i || m.Get(s.id) != s {
				t.Fatalf("%d sockets, want %d", m.Len(), n-i)
			}
			m.Remove(s.id, s)
			m.Remove(s.id, s)
		}
		if st := &m.list()[0]; (st.byID == nil) != (n > keep) {
			t.Errorf("after %d sockets the map is kept: %v", n, st.byID != nil)
		}
	}
	s := &socket{id: "again"}
	if m.Add(s.id, s); m.Get("again") != s {
		t.Error("it is not there")
	}
}

// The id of a socket that is away is taken, but there is no such socket.
func TestMapAway(t *testing.T) {
	m := New[socket](1)
	if m.Taken("s") {
		t.Error("an id is taken in an empty map")
	}
	m.Forget("s")
	first, second := &socket{id: "s"}, &socket{id: "s"}
	check := func(what string, there *socket, taken bool) {
		t.Helper()
		n := 0
		if there != nil {
			n = 1
		}
		if m.Get("s") != there || m.Taken("s") != taken || m.Len() != n || len(m.All()) != n {
			t.Errorf("%s: %v, taken %v, %d of %d sockets", what, m.Get("s") == there, m.Taken("s"), m.Len(), len(m.All()))
		}
	}
	m.Add(first.id, first)
	m.Forget("s")
	check("connected", first, true)
	m.Leave(first.id, first)
	m.Leave(first.id, first)
	m.Remove(first.id, first)
	check("away", nil, true)
	m.Add(second.id, second)
	m.Leave(first.id, first)
	m.Remove(first.id, first)
	m.Forget("s")
	check("back", second, true)
	m.Leave(second.id, second)
	m.Forget("s")
	m.Forget("s")
	check("forgotten", nil, false)
}
