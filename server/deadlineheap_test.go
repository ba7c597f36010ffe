package server

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/seed58c87869/siren/poller/pollertest"
)

// ordered reports whether the heap is in order, each socket knows its place, and the timer is set for the earliest.
func (d *deadlines) ordered() bool {
	for i, e := range d.heap {
		if int(e.s.due) != i+1 || i > 0 && d.heap[(i-1)/2].at > e.at {
			return false
		}
	}
	return d.Scheduled() == (len(d.heap) > 0) && (len(d.heap) == 0 || d.When() == d.heap[0].at)
}

// Whatever is set and removed, the heap stays in order, and gives its memory back.
func TestDeadlinesStayInOrder(t *testing.T) {
	d := newDeadlines([]EventLoop{pollertest.NewLoop(0)})[0]
	sockets := make([]Socket, 5000)
	want := make(map[*Socket]int64)
	for range 50_000 {
		s := &sockets[rand.IntN(len(sockets))]
		if rand.IntN(3) == 0 {
			d.remove(s)
			delete(want, s)
		} else {
			at := rand.Int64N(1000) + int64(time.Hour)
			d.set(s, at)
			want[s] = at
		}
	}
	if len(d.heap) != len(want) || !d.ordered() {
		t.Fatalf("%d of %d, in order: %v", len(d.heap), len(want), d.ordered())
	}
	last := int64(0)
	for len(d.heap) > 0 {
		e := d.heap[0]
		if e.at < last || want[e.s] != e.at {
			t.Fatalf("%d behind %d, want %d", e.at, last, want[e.s])
		}
		last = e.at
		if d.remove(e.s); e.s.due != 0 || !d.ordered() {
			t.Fatal("out of order")
		}
	}
	if cap(d.heap) > deadlinesKeep {
		t.Errorf("keeps %d places", cap(d.heap))
	}
}

// Sockets and what a signed-in one has beside fill size classes of the allocator.
func TestSizeOfSocket(t *testing.T) {
	if n := unsafe.Sizeof(Socket{}); n > 208 {
		t.Errorf("a socket has %d bytes, at most 208 are allowed", n)
	}
	if n := unsafe.Sizeof(extra{}); n > 64 {
		t.Errorf("its extra has %d bytes, at most 64 are allowed", n)
	}
}
