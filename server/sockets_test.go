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

// N6: what a busy time needed is given up when nothing is left of it.
func TestHistoryShrinks(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 1000, MaxBytes: 1 << 20, MaxSessions: 100})
	var last string
	for i := range 500 {
		last = r.emit("x", audience{})
		r.leave(&awaySocket{pid: fmt.Sprint(i), id: fmt.Sprint(i)})
	}
	r.sweep()
	if len(r.events) == 0 || len(r.away) == 0 {
		t.Fatal("forgotten before the time")
	}
	r.clock = r.clock.Add(2 * time.Minute)
	r.sweep()
	if cap(r.events)+cap(r.leaving)+len(r.away) != 0 || r.bytes != 0 {
		t.Errorf("%d, %d, %d places and %d bytes are kept", cap(r.events), cap(r.leaving), len(r.away), r.bytes)
	}
	r.leave(&awaySocket{pid: "p", id: "p"})
	next := r.emit("y", audience{})
	if got := r.back("p", last); len(got) != 1 || next <= last {
		t.Errorf("%q after %s, %s", got, last, next)
	}
	r.close()
}
