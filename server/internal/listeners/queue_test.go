package listeners

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/session"
)

// A queue takes no more reservations than it has room for, those on their way included; what is never refused counts
// too.
func TestQueueIsBounded(t *testing.T) {
	var running atomic.Int64
	started, release, got := make(chan struct{}, 1), make(chan struct{}), make(chan int, 10)
	q := &Queue[int]{Max: 3, Limits: &session.InboxLimits{Jobs: 100, Bytes: 100, Running: &running}, Call: func(e int, fn func(int)) { fn(e) }}
	remove := q.Add(func(e int) {
		select {
		case started <- struct{}{}:
		default:
		}
		<-release
		got <- e
	})
	if !q.Reserve(2) || q.Full() {
		t.Error("it has room for three")
	}
	if q.Coming(1); !q.Full() || q.Reserve(1) || !q.Reserve(0) {
		t.Error("three are on their way")
	}
	for e := range 3 {
		q.Put(e)
		q.Arrived(1)
	}
	<-started
	if q.Full() || !q.Reserve(1) || !q.Full() {
		t.Error("two wait, and one is on its way")
	}
	q.Arrived(1)
	close(release)
	for want := range 3 {
		select {
		case e := <-got:
			if e != want {
				t.Errorf("got %d, want %d", e, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came")
		}
	}
	remove()
	remove()
	var second []int
	done := make(chan struct{})
	q.Add(func(e int) { second = append(second, e); close(done) })
	q.Put(7)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
	if !slices.Equal(second, []int{7}) || len(got) != 0 {
		t.Errorf("%v, and %d for a listener that was removed", second, len(got))
	}
}

// Without listeners there is no queue, which has room for everything.
func TestNoQueue(t *testing.T) {
	var q *Queue[int]
	q.Coming(1)
	q.Arrived(1)
	if q.Full() || !q.Reserve(1000) {
		t.Error("it is full")
	}
}
