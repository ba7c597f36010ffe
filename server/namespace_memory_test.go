package server

import (
	"context"
	"runtime"
	"strconv"
	"testing"
)

// Ten thousand empty children cost little, however many loops there are.
func TestMemoryPerChild(t *testing.T) {
	for _, c := range []struct{ loops, max int }{{1, 800}, {8, 1400}, {64, 6000}} {
		srv, err := New(Config{Loops: c.loops})
		if err != nil {
			t.Fatal(err)
		}
		p := srv.OfFunc(func(context.Context, string, Raw) bool { return true })
		p.OnConnect(func(context.Context, *Socket) error { return nil })
		const n = 10_000
		heap := func() int {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int(m.HeapAlloc)
		}
		before := heap()
		for i := range n {
			ns, _ := srv.dynamic.find(t.Context(), "/child-"+strconv.Itoa(i), Raw{})
			srv.dynamic.drop(ns)
		}
		per := (heap() - before) / n
		t.Logf("%d loops: %d bytes for each empty child", c.loops, per)
		if got := srv.Stats().DynamicNamespaces; got != n || len(p.Children()) != n {
			t.Fatalf("%d children", got)
		}
		if per > c.max {
			t.Errorf("%d loops: %d bytes for each empty child, at most %d are allowed", c.loops, per, c.max)
		}
		runtime.KeepAlive(srv)
	}
}
