package deadline

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
)

type socket struct{ place int32 }

// ordered reports whether the heap is in order, each socket knows its place, and the timer is set for the earliest.
func (q *Queue[S]) ordered() bool {
	for i, e := range q.heap {
		if int(*q.place(e.s)) != i+1 || i > 0 && q.heap[(i-1)/2].at > e.at {
			return false
		}
	}
	return q.Scheduled() == (len(q.heap) > 0) && (len(q.heap) == 0 || q.When() == q.heap[0].at)
}

// Whatever is set and removed, the heap stays in order, and gives its memory back.
func TestDeadlinesStayInOrder(t *testing.T) {
	d := New(pollertest.NewLoop(0), func(s *socket) *int32 { return &s.place }, func(*socket) {})
	sockets := make([]socket, 5000)
	want := make(map[*socket]int64)
	for range 50_000 {
		s := &sockets[rand.IntN(len(sockets))]
		if rand.IntN(3) == 0 {
			d.Remove(s)
			delete(want, s)
		} else {
			at := rand.Int64N(1000) + int64(time.Hour)
			d.Set(s, at)
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
		if d.Remove(e.s); e.s.place != 0 || !d.ordered() {
			t.Fatal("out of order")
		}
	}
	if cap(d.heap) > keep {
		t.Errorf("keeps %d places", cap(d.heap))
	}
}
