package collect

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/host"
	"github.com/seed58c87869/siren/server/internal/peers"
)

// loops are one event loop, which the test drives.
type loops struct {
	loop    *pollertest.Loop
	started bool
}

func (l *loops) Started() bool      { return l.started }
func (l *loops) Loop(int) host.Loop { return l.loop }

// newWaits returns the waits of a server with one loop.
func newWaits() (*Waits, *pollertest.Loop) {
	l := &loops{pollertest.NewLoop(0), true}
	return New(l, 1), l.loop
}

// question is an Inquiry that notes the end of its wait.
type question struct {
	Wait
	mu              sync.Mutex // guards what follows
	released, ended int
}

func (q *question) Answered(_ Answer, loop int) {
	q.Lock()
	q.Answers++
	q.Settle(loop)
}
func (q *question) Left(loop int) { q.Lose(loop) }
func (q *question) Release(error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.released++
}
func (q *question) Collected() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended++
}

// Response implements Question.
func (q *question) Response(m *cluster.Message) error {
	q.Lock()
	q.Others.Roll.Answered(m.From)
	q.Settle(OffLoop)
	return nil
}

// ends returns how often the question was released, and how often its end was reported.
func (q *question) ends() [2]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return [2]int{q.released, q.ended}
}

// begun returns a question to clients that has begun.
func begun(t *testing.T, of *Waits, clients int32) *question {
	t.Helper()
	q := new(question)
	q.Init(of, q, 0)
	q.Expected, q.Partial = clients, true
	q.Blocks()
	if err := q.Begin(); err != nil {
		t.Fatal(err)
	}
	return q
}

// TestEnds shows that each kind of end comes once, with its error, and that nothing is left of the wait.
func TestEnds(t *testing.T) {
	cancelled := errors.New("cancelled")
	for name, test := range map[string]struct {
		end  func(ws *Waits, l *pollertest.Loop, q *question, cancel context.CancelCauseFunc)
		want error // the cause; nil means that all answers came
	}{
		"all answered": {func(_ *Waits, _ *pollertest.Loop, q *question, _ context.CancelCauseFunc) {
			q.Answered(Answer{}, 0)
			q.Answered(Answer{}, OffLoop)
		}, nil},
		"all left": {func(_ *Waits, _ *pollertest.Loop, q *question, _ context.CancelCauseFunc) {
			q.Left(0)
			q.Left(0)
		}, ErrClosed},
		"time-out": {func(_ *Waits, l *pollertest.Loop, q *question, _ context.CancelCauseFunc) {
			q.Answered(Answer{}, 0)
			l.Advance(time.Second)
		}, ErrTimeout},
		"context": {func(_ *Waits, _ *pollertest.Loop, _ *question, cancel context.CancelCauseFunc) {
			cancel(cancelled)
		}, cancelled},
		"end of the server": {func(ws *Waits, _ *pollertest.Loop, _ *question, _ context.CancelCauseFunc) {
			ws.End()
			ws.End()
		}, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			ws, l := newWaits()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			q := begun(t, ws, 2)
			q.Limit(time.Second)
			q.Watch(ctx)
			l.RunUntilIdle()
			test.end(ws, l, q, cancel)
			err := q.Await(context.Background())
			var missing *MissingError
			if test.want == nil {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.As(err, &missing) || !errors.Is(missing.Cause, test.want) || missing.Clients == 0 {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if q.Finish(ErrTimeout, OffLoop) || q.Revoke() {
				t.Error("the wait ended twice")
			}
			q.Answered(Answer{}, 0)
			l.RunUntilIdle()
			l.Advance(time.Minute)
			if q.ends() != [2]int{1, 1} || ws.Len() != 0 || l.Wheel().Len() != 0 {
				t.Errorf("released and reported %v times; %d waits, %d timers", q.ends(), ws.Len(), l.Wheel().Len())
			}
		})
	}
}

// TestEndsRace lets all kinds of ends meet.
func TestEndsRace(t *testing.T) {
	for range 200 {
		ws, _ := newWaits()
		ctx, cancel := context.WithCancel(t.Context())
		q := begun(t, ws, 1)
		q.Watch(ctx)
		var all sync.WaitGroup
		for _, end := range []func(){cancel, ws.End, func() { q.Answered(Answer{}, OffLoop) }, func() { q.Left(OffLoop) }} {
			all.Go(end)
		}
		_ = q.Await(context.Background())
		all.Wait()
		if q.ends() != [2]int{1, 1} || ws.Len() != 0 {
			t.Fatalf("released and reported %v times; %d waits", q.ends(), ws.Len())
		}
	}
}

// TestRevoke shows that a wait that was revoked is reported to nobody, and that none begins after the end.
func TestRevoke(t *testing.T) {
	ws, _ := newWaits()
	q := begun(t, ws, 1)
	if !q.Revoke() || q.ends() != [2]int{1, 0} || ws.Len() != 0 {
		t.Error(q.ends(), ws.Len())
	}
	ws.End()
	late := new(question)
	late.Init(ws, late, 0)
	if err := late.Begin(); !errors.Is(err, ErrClosed) || ws.Context().Err() == nil {
		t.Error(err)
	}
}

// TestLimitBeforeLoopsRun shows that a wait of a server that does not listen yet has a time-out too.
func TestLimitBeforeLoopsRun(t *testing.T) {
	ws := New(&loops{}, 1)
	q := begun(t, ws, 1)
	q.Partial = false
	q.Limit(time.Millisecond)
	if err := q.Await(context.Background()); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
}

// TestParked shows that handlers that block are counted until they have an answer, if the server wants to know.
func TestParked(t *testing.T) {
	for _, counting := range []bool{false, true} {
		ws, _ := newWaits()
		ws.Counting.Store(counting)
		ws.Elsewhere.Add(1)
		q := begun(t, ws, 2)
		blocks := 0
		if counting {
			blocks = 1
		}
		over := make(chan struct{})
		go func() { // which is a handler, because this package has started it
			defer close(over)
			for !q.Over() {
				q.Next(context.Background())
			}
		}()
		parked := func(want int) {
			for end := time.Now().Add(10 * time.Second); ws.Parked() != want; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d are parked, want %d", ws.Parked(), want)
				}
			}
		}
		parked(1 + blocks)
		q.Lock()
		q.Resume()
		q.Unlock()
		parked(1 + blocks) // again
		q.Finish(nil, OffLoop)
		<-over
		parked(1)
	}
}

// TestCensus shows that a census waits for all loops, and what it notes.
func TestCensus(t *testing.T) {
	ws, _ := newWaits()
	members := []*room.Member{new(room.Member), new(room.Member)}
	for _, list := range []bool{true, false} {
		done := 0
		c := NewCensus(ws, 0, list, func(*Census) { done++ })
		c.Blocks()
		if err := c.Begin(); err != nil {
			t.Fatal(err)
		}
		c.Expect(0)
		c.Add(members)
		c.AddCount(3)
		c.Pass(0)
		if c.Over() {
			t.Fatal("it did not wait for the caller")
		}
		c.Pass(OffLoop)
		if err := c.Await(t.Context()); err != nil || done != 1 {
			t.Error(err, done)
		}
		c.Add(members) // too late
		if c.Count() != 5 || (len(c.Members()) == 2) != list {
			t.Errorf("%d sockets, %d in the list", c.Count(), len(c.Members()))
		}
	}
	var none *Census
	none.Expect(0)
	none.Add(members)
	none.Pass(0)
}

// TestGather shows who counts as an answer of another node, and what is missing at the end.
func TestGather(t *testing.T) {
	var table Questions
	ws, l := newWaits()
	about := new(int)
	ask := func() (*Gather, string) {
		g, id := NewGather(ws, 0, &table, cluster.Peers{Count: 2, Nodes: []string{"b", "c"}}, about)
		if err := g.Begin(); err != nil {
			t.Fatal(err)
		}
		return g, id
	}
	answer := func(id, from string, k cluster.Kind) {
		if err := table.Response(&cluster.Message{Kind: k, Request: id, From: from}); err != nil {
			t.Error(err)
		}
	}
	var missing *MissingError

	g, id := ask()
	answer(id, "b", cluster.CountResponse)
	answer("another", "c", cluster.CountResponse)
	answer(id, "c", cluster.Broadcast) // is no answer
	answer(id, "c", cluster.CountResponse)
	if err := g.Await(t.Context()); err != nil || len(g.Answers()) != 2 {
		t.Error(err, g.Answers())
	}

	g, id = ask()
	answer(id, "b", cluster.CountResponse)
	answer(id, "c", cluster.Refused)
	if err := g.Await(t.Context()); !errors.As(err, &missing) || missing.Nodes != 1 || missing.Cause != ErrNodeRefused {
		t.Error(err)
	}

	g, _ = ask()
	table.Gone(new(int), "b") // which has left another namespace
	table.Gone(about, "b")
	table.Gone(about, "c")
	if err := g.Await(t.Context()); err != nil {
		t.Error(err)
	}

	g, _ = ask()
	g.Limit(time.Second)
	l.Advance(time.Second)
	if err := g.Await(t.Context()); !errors.As(err, &missing) || missing.Nodes != 2 || missing.Cause != ErrTimeout {
		t.Error(err)
	}
	if asked, _ := table.Len(); asked != 0 {
		t.Errorf("%d questions are left", asked)
	}
}

// TestForeignQuestions shows whose questions end when their node does not want the answers, or has left.
func TestForeignQuestions(t *testing.T) {
	ws, _ := newWaits()
	var table Questions
	about := new(int)
	take := func(node, request string) (*question, Foreign) {
		q, f := begun(t, ws, 1), Foreign{about, node, request}
		table.Take(f, &q.Wait)
		return q, f
	}
	first, f := take("b", "1")
	second, _ := take("b", "2")
	other, g := take("c", "1")
	table.Abandon(Foreign{about, "b", "3"})
	table.Abandon(f)
	if !first.Over() || second.Over() || other.Over() {
		t.Error("Abandon ended another question")
	}
	table.Gone(about, "b")
	if !second.Over() || other.Over() {
		t.Error("Gone ended another node's question")
	}
	table.Done(g, &first.Wait) // which is not there
	if _, n := table.Len(); n != 3 {
		t.Errorf("%d questions of others, want 3", n)
	}
	table.Done(g, &other.Wait)
	if _, n := table.Len(); n != 2 {
		t.Errorf("%d questions of others, want 2", n)
	}
}

// TestOthersAreParties shows that a wait for clients also waits for other nodes, and joins their trouble to its error.
func TestOthersAreParties(t *testing.T) {
	ws, _ := newWaits()
	q := begun(t, ws, 1)
	q.Others = &peers.Others{}
	q.Answered(Answer{}, 0)
	if q.Over() {
		t.Fatal("it did not wait for the nodes")
	}
	trouble := errors.New("trouble")
	q.Lock()
	q.Others.Trouble = trouble
	q.Others.Expect(cluster.Peers{Count: 1, Nodes: []string{"b"}})
	q.Settle(OffLoop)
	q.NodeRefused("b")
	if err := q.Await(t.Context()); !errors.Is(err, trouble) {
		t.Error(err)
	}
}
