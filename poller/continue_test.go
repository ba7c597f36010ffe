package poller

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"
)

// stepTask takes that many turns, and notes each of them.
type stepTask struct {
	loop  *Loop
	name  string
	steps int
	note  func(name string)
	panic bool // at each step
}

func (s *stepTask) Run(int) {
	if s.steps--; s.steps > 0 {
		defer s.loop.Continue(s)
	}
	s.note(s.name)
	if s.panic {
		panic("step")
	}
}

// A task that goes on keeps its place in the mailbox, and each of its steps has a turn of its own. A panic in one step
// does not keep it from the others.
func TestTaskGoesOnBeforeLaterPosts(t *testing.T) {
	for _, panics := range []bool{false, true} {
		l, _, _ := stubLoop(t, 0, Config{Logger: slog.New(slog.DiscardHandler)})
		var got []string
		var turns []int64
		note := func(name string) {
			got, turns = append(got, name), append(turns, l.counters.turns.Load())
			if name == "a" {
				l.PostFunc(func() { got = append(got, "posted by a") })
			}
		}
		l.Post(&stepTask{loop: l, name: "a", steps: 3, note: note, panic: panics})
		l.PostFunc(func() { got = append(got, "behind") })
		l.Post(&stepTask{loop: l, name: "b", steps: 2, note: note, panic: panics})
		posts := l.counters.posts.Load()
		for range 100 {
			l.turn(false)
		}
		want := []string{"a", "a", "a", "behind", "b", "b", "posted by a", "posted by a", "posted by a"}
		if !panics && !slices.Equal(got, want) {
			t.Errorf("the order is %q, want %q", got, want)
		}
		if n := len(slices.Compact(slices.Clone(turns[:3]))); n != 3 {
			t.Errorf("three steps in %d turns", n)
		}
		if len(got) != len(want) || len(turns) != 5 {
			t.Errorf("with panics %v: %q", panics, got)
		}
		if n := l.counters.posts.Load() - posts; n != 6 {
			t.Errorf("%d posts counted, want 6", n)
		}
		if n := l.mailbox.waiting(); n != 0 {
			t.Errorf("%d tasks wait", n)
		}
	}
}

// While a task goes on, a turn flushes for a part of the time only that the task took, and at least one connection:
// what later tasks send to the others leaves with it.
func TestFewFlushesBetweenSteps(t *testing.T) {
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 1, FlushTime: time.Hour, TurnTime: time.Microsecond})
	const conns = 50
	l := e.loops[0]
	for range conns {
		dial(t, e)
	}
	peers := make([]*peer, conns)
	for i := range peers {
		peers[i] = h.next(t)
	}
	on(t, l, func() {})
	var before, between int64
	done := make(chan struct{})
	l.Post(&stepTask{loop: l, steps: 2, note: func(string) {
		if before == 0 {
			before = e.Stats().Writes + 1
			for _, p := range peers {
				p.conn.Queue([]byte("x"))
			}
			return
		}
		between = e.Stats().Writes + 1 - before
		close(done)
	}})
	recv(t, done, "the second step")
	if between < 1 || between >= conns {
		t.Errorf("%d of %d connections were flushed between two steps", between, conns)
	}
	eventually(t, "all are flushed", func() bool { return e.Stats().Writes+1-before == conns })
}

// The end of an engine runs what is left of a task, and what is posted behind it.
func TestTaskGoesOnAtTheEnd(t *testing.T) {
	e := start(t, Config{Accept: newHub().accept, Loops: 1})
	l := e.loops[0]
	var got []string
	begun := make(chan struct{})
	l.Post(&stepTask{loop: l, name: "a", steps: 50, note: func(name string) {
		if got = append(got, name); len(got) == 1 {
			close(begun)
		}
	}})
	l.PostFunc(func() { got = append(got, "behind") })
	recv(t, begun, "first step")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if len(got) != 51 || got[50] != "behind" {
		t.Errorf("%d steps ran", len(got))
	}
}

// A loop is idle when nothing waits that was posted, also while its last task runs.
func TestLoopIsIdleWhenNothingWaits(t *testing.T) {
	l, _, _ := stubLoop(t, 0, Config{})
	var got []bool
	note := func() { got = append(got, l.Idle()) }
	note()
	l.PostFunc(note)
	l.PostFunc(func() {
		note()
		l.PostFunc(note)
		note()
	})
	note()
	turns(l)
	note()
	if want := []bool{true, false, false, true, false, true, true}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
