package server

import (
	"fmt"
	"testing"
	"time"
)

// The map of a namespace that was crowded once takes no memory when all have gone.
func TestSocketMapShrinks(t *testing.T) {
	m := newSocketMap(1)
	for _, n := range []int{socketsKeep, 10 * socketsKeep} {
		var all []*Socket
		for i := range n {
			s := &Socket{id: fmt.Sprint(i)}
			all = append(all, s)
			m.add(s)
		}
		for i, s := range all {
			if m.len() != n-i || m.get(s.id) != s {
				t.Fatalf("%d sockets, want %d", m.len(), n-i)
			}
			m.remove(s)
			m.remove(s)
		}
		if st := &m.list()[0]; (st.byID == nil) != (n > socketsKeep) {
			t.Errorf("after %d sockets the map is kept: %v", n, st.byID != nil)
		}
	}
	s := &Socket{id: "again"}
	if m.add(s); m.get("again") != s {
		t.Error("it is not there")
	}
}

// The id of a socket that is away is taken, but there is no such socket.
func TestSocketMapAway(t *testing.T) {
	m := newSocketMap(1)
	if m.taken("s") {
		t.Error("an id is taken in an empty map")
	}
	m.forget("s")
	first, second := &Socket{id: "s"}, &Socket{id: "s"}
	check := func(what string, there *Socket, taken bool) {
		t.Helper()
		n := 0
		if there != nil {
			n = 1
		}
		if m.get("s") != there || m.taken("s") != taken || m.len() != n || len(m.all()) != n {
			t.Errorf("%s: %v, taken %v, %d of %d sockets", what, m.get("s") == there, m.taken("s"), m.len(), len(m.all()))
		}
	}
	m.add(first)
	m.forget("s")
	check("connected", first, true)
	m.leave(first)
	m.leave(first)
	m.remove(first)
	check("away", nil, true)
	m.add(second)
	m.leave(first)
	m.remove(first)
	m.forget("s")
	check("back", second, true)
	m.leave(second)
	m.forget("s")
	m.forget("s")
	check("forgotten", nil, false)
}

// What a busy time needed is given up when nothing is left of it.
func TestHistoryShrinks(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 1000, MaxBytes: 1 << 20, MaxSessions: 100})
	var last string
	for i := range 500 {
		last = r.emit("x", audience{})
		r.depart(awaySocket{pid: pid(fmt.Sprint(i)), id: fmt.Sprint(i)})
	}
	r.sweep()
	if len(r.events) == 0 || len(r.history.away) == 0 {
		t.Fatal("forgotten before the time")
	}
	r.clock += 2 * time.Minute
	r.sweep()
	if cap(r.events)+r.leaving.Len()+len(r.history.away) != 0 || r.bytes != 0 {
		t.Errorf("%d, %d, %d places and %d bytes are kept", cap(r.events), r.leaving.Len(), len(r.history.away), r.bytes)
	}
	r.depart(awaySocket{pid: pid("p"), id: "p"})
	next := r.emit("y", audience{})
	if got := r.back("p", last); len(got) != 1 || next <= last {
		t.Errorf("%q after %s, %s", got, last, next)
	}
	r.close()
}
