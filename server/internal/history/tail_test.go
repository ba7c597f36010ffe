package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// memoryLog is a log with its sessions.
type memoryLog struct {
	cluster.Log
	mu       sync.Mutex // guards what follows
	messages []*cluster.Message
	sessions map[string]*cluster.Session
	// reads counts the calls of ReadLog, and gone makes them fail.
	reads int
	gone  error
}

func (l *memoryLog) SaveSession(s *cluster.Session, _ time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[s.PID] = s
	return nil
}

func (l *memoryLog) TakeSession(ctx context.Context, pid string) (*cluster.Session, error) {
	if pid == "blocks" {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[pid]
	delete(l.sessions, pid)
	return s, nil
}

func (l *memoryLog) ReadLog(_ context.Context, _ string, after, until cluster.Offset, each func(m *cluster.Message) bool) error {
	l.mu.Lock()
	messages := slices.Clone(l.messages)
	l.reads++
	gone := l.gone
	l.mu.Unlock()
	for _, m := range messages {
		if m.Offset.Compare(after) > 0 && m.Offset.Compare(until) <= 0 && !each(m) {
			return nil
		}
	}
	return gone
}

// at returns the offset with that number.
func at(n int) cluster.Offset { return cluster.Offset{Major: uint64(n)} }

// broadcast returns a message of the log.
func broadcast(n int, to ...string) *cluster.Message {
	return &cluster.Message{Kind: cluster.Broadcast, From: "n", Offset: at(n), Data: sio.Raw{JSON: fmt.Append(nil, n)}, Target: cluster.Target{Rooms: to}}
}

// nodeOf returns a history that follows a log.
func nodeOf(t *testing.T, log *memoryLog, limits Limits) *historyRig {
	r := newHistoryRig(t, limits)
	r.Follow(log, "/", func(m *cluster.Message, offset string) (*eio.Frame, error) {
		return eio.NewText(append(append([]byte{}, m.Data.JSON...), " "+offset...)), nil
	})
	return r
}

// deliver delivers a message and returns what is sent.
func (r *historyRig) deliver(m *cluster.Message) (text string) {
	r.t.Helper()
	if err := r.Deliver(m, func(f *eio.Frame) error { text = string(f.Payload()); return nil }); err != nil {
		r.t.Error(err)
	}
	return text
}

// returns lets a client come back and returns what it gets; nil if it cannot.
func (r *historyRig) returns(recalled *Recalled) (texts []string) {
	r.Return(recalled, func(a *Away, missed []*eio.Frame) bool {
		texts = []string{a.ID}
		for _, f := range missed {
			texts = append(texts, string(f.Payload()))
		}
		return true
	})
	return texts
}

var tailLimits = Limits{MaxDisconnection: time.Minute, MaxPackets: 10, MaxBytes: 1 << 20, MaxSessions: 10}

// TestTailOffsets shows which offset clients are told with each event.
func TestTailOffsets(t *testing.T) {
	r := nodeOf(t, &memoryLog{}, tailLimits)
	r.Position(&cluster.Message{Offset: at(3)})
	volatile := broadcast(5)
	volatile.Target.Volatile = true
	late, repeated := broadcast(0), broadcast(6)
	late.Unsettled, repeated.Repeated = true, true
	other := broadcast(7)
	other.Unsettled = true
	for i, step := range []struct {
		m    *cluster.Message
		want string
	}{
		{&cluster.Message{Data: sio.Raw{JSON: []byte("local")}}, "local 3-0"},
		{broadcast(4), "4 4-0"}, {volatile, "5 5-0"}, {late, "0 -"}, {other, "7 -"},
		{&cluster.Message{Data: sio.Raw{JSON: []byte("local")}}, "local -"}, {repeated, ""}, {broadcast(8), "8 8-0"},
	} {
		if got := r.deliver(step.m); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	var kept []string
	for _, e := range r.events[r.head:] {
		kept = append(kept, string(e.frame.Payload()))
	}
	if want := []string{"4 4-0", "7 7-0", "6 6-0", "8 8-0"}; !slices.Equal(kept, want) {
		t.Errorf("%q, want %q", kept, want)
	}
}

// TestRecall shows who comes back at a node, and with what.
func TestRecall(t *testing.T) {
	for name, test := range map[string]struct {
		after   string
		session cluster.Session
		gone    error
		want    []string
		reads   int
	}{
		"what is stored is enough": {after: "6-0", want: []string{"id", "7 7-0", "9 9-0"}},
		"it missed nothing":        {after: "9-0", want: []string{"id"}},
		"older events are read":    {after: "2-0", want: []string{"id", "3 3-0", "5 5-0", "7 7-0", "9 9-0"}, reads: 1},
		"events are gone":          {after: "2-0", gone: cluster.ErrGone, reads: 1},
		"the base is later":        {after: "2-0", session: cluster.Session{Base: at(6)}, want: []string{"id", "7 7-0", "9 9-0"}},
		"no offset, but a base":    {session: cluster.Session{Base: at(7)}, want: []string{"id", "9 9-0"}},
		"no offset":                {},
		"not an offset":            {after: "-", session: cluster.Session{Base: at(7)}},
		"another namespace":        {after: "6-0", session: cluster.Session{Namespace: "/other"}},
		"ahead of this node":       {after: "99-0"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &memoryLog{sessions: map[string]*cluster.Session{}, gone: test.gone}
			r := nodeOf(t, log, tailLimits)
			s := test.session
			s.PID, s.ID, s.Rooms = "p", "id", []string{"id", "room"}
			log.sessions["p"] = &s
			for n := 1; n < 6; n++ {
				m := broadcast(n, map[bool]string{true: "room", false: "elsewhere"}[n%2 == 1])
				log.messages = append(log.messages, m)
			}
			r.Position(&cluster.Message{Offset: at(5)})
			for n := 6; n < 10; n++ {
				r.deliver(broadcast(n, map[bool]string{true: "room", false: "elsewhere"}[n%2 == 1]))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if got := r.returns(r.Recall(ctx, "p", test.after)); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
			if log.reads != test.reads || len(log.sessions) != 0 {
				t.Error(log.reads, log.sessions)
			}
		})
	}
}

// TestRecallWaits shows that a node which is behind the client's last one is waited for, and that nobody waits longer
// than the context, whatever does not answer.
func TestRecallWaits(t *testing.T) {
	log := &memoryLog{sessions: map[string]*cluster.Session{"p": {PID: "p", ID: "id", Rooms: []string{"id"}}}}
	r := nodeOf(t, log, tailLimits)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if r.Recall(short, "p", "3-0") != nil || len(log.sessions) != 1 {
		t.Error("the node knows no position yet")
	}
	r.Position(&cluster.Message{Offset: at(1)})
	short, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if r.Recall(short, "blocks", "1-0") != nil || !errors.Is(short.Err(), context.DeadlineExceeded) {
		t.Error("the broker does not answer")
	}
	done := make(chan *Recalled)
	go func() { done <- r.Recall(t.Context(), "p", "3-0") }()
	r.deliver(broadcast(2))
	r.deliver(broadcast(3))
	back := <-done
	if got := r.returns(back); !slices.Equal(got, []string{"id"}) {
		t.Error(got)
	}
	r.PutBack(back)
	if log.sessions["p"] == nil {
		t.Error("it is not put back")
	}
}

// TestRecallShares shows that many clients that come back to a node read the log once.
func TestRecallShares(t *testing.T) {
	log := &memoryLog{sessions: map[string]*cluster.Session{}}
	r := nodeOf(t, log, tailLimits)
	for n := 1; n < 6; n++ {
		log.messages = append(log.messages, broadcast(n))
	}
	r.Position(&cluster.Message{Offset: at(5)})
	var all sync.WaitGroup
	for i := range 100 {
		pid := fmt.Sprint(i)
		log.sessions[pid] = &cluster.Session{PID: pid, ID: pid, Rooms: []string{pid}}
	}
	for i := range 100 {
		all.Go(func() {
			if got := r.returns(r.Recall(t.Context(), fmt.Sprint(i), "2-0")); len(got) != 4 {
				t.Error(got)
			}
		})
	}
	all.Wait()
	if log.reads != 1 {
		t.Error(log.reads)
	}
}

// TestRecallBounds shows that a client which missed more than a node stores is a new one, and leaves the node as it
// was.
func TestRecallBounds(t *testing.T) {
	log := &memoryLog{sessions: map[string]*cluster.Session{"p": {PID: "p", ID: "id"}}}
	r := nodeOf(t, log, tailLimits)
	for n := 1; n < 30; n++ {
		log.messages = append(log.messages, broadcast(n))
	}
	r.Position(&cluster.Message{Offset: at(29)})
	if got := r.returns(r.Recall(t.Context(), "p", "2-0")); got != nil || r.kept() != 0 || r.bytes != 0 {
		t.Error(got, r.kept())
	}
}

// TestGap shows that a position makes a node forget what is before it: something may be missing in between.
func TestGap(t *testing.T) {
	log := &memoryLog{sessions: map[string]*cluster.Session{"p": {PID: "p", ID: "id"}}, gone: cluster.ErrGone}
	r := nodeOf(t, log, tailLimits)
	r.Position(&cluster.Message{Offset: at(1)})
	r.deliver(broadcast(2))
	r.Position(&cluster.Message{Offset: at(5)})
	r.deliver(broadcast(6))
	if got := r.returns(r.Recall(t.Context(), "p", "2-0")); got != nil {
		t.Error(got)
	}
}

// TestSave shows what a session says: where everything has arrived, and which life of the socket it is of.
func TestSave(t *testing.T) {
	log := &memoryLog{sessions: map[string]*cluster.Session{}}
	r := nodeOf(t, log, tailLimits)
	r.Position(&cluster.Message{Offset: at(1)})
	r.deliver(broadcast(2))
	r.clock += 10 * time.Second
	proven := r.clock
	r.deliver(broadcast(3))
	var base Base
	r.Enter(func(b Base, _ time.Duration) bool { base = b; return true })
	if base.id != at(3) {
		t.Error(base)
	}
	for i, test := range []struct {
		away Away
		want cluster.Offset
	}{
		{Away{Base: base}, at(3)}, {Away{Arrived: proven}, at(2)}, {Away{Arrived: proven + 1}, at(3)}, {Away{}, cluster.Offset{}},
	} {
		a := test.away
		a.PID, a.ID, a.Rooms, a.User, a.Values = "p", "id", []string{"room"}, "u", "values"
		r.depart(a)
		kept := r.away["p"].Value.(*Away)
		if err := r.Save(kept, sio.Raw{JSON: []byte("1")}); err != nil {
			t.Error(err)
		}
		s := log.sessions["p"]
		if s.Base != test.want || s.Tag == "" || s.Namespace != "/" || s.User != "u" || !slices.Equal(s.Rooms, []string{"id", "room"}) || string(s.Data.JSON) != "1" {
			t.Errorf("case %d: %+v", i, s)
		}
		if test.want.IsZero() {
			continue
		}
		r.Return(r.Recall(t.Context(), "p", ""), func(a *Away, _ []*eio.Frame) bool {
			if a.Values != "values" {
				t.Error("it has been nowhere else, and keeps its values")
			}
			delete(r.taken, a.ID)
			return true
		})
		r.depart(a)
		elsewhere := *s
		elsewhere.Tag = "another life"
		log.sessions["p"] = &elsewhere
		r.Return(r.Recall(t.Context(), "p", ""), func(a *Away, _ []*eio.Frame) bool {
			if a.Values != nil {
				t.Error("these values are old")
			}
			delete(r.taken, a.ID)
			return true
		})
	}
}
