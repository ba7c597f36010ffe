package pollertest_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/poller/wheel"
)

type script struct {
	receive func(data []byte) (int, int)
	log     []string
	errs    []error
}

func (s *script) Receive(data []byte) (int, int) {
	s.log = append(s.log, string(data))
	if s.receive == nil {
		return len(data), 0
	}
	return s.receive(data)
}

func (s *script) Closed(err error) {
	s.log = append(s.log, "closed")
	s.errs = append(s.errs, err)
}

func TestRestAndResume(t *testing.T) {
	l := pollertest.NewLoop(3)
	s := &script{}
	c := pollertest.NewConn(l, s)
	hold := true
	s.receive = func(data []byte) (int, int) {
		if hold {
			return 1, 10
		}
		return len(data), 0
	}
	c.Feed([]byte("abc"))
	if rest, need := c.Rest(); string(rest) != "bc" || need != 10 {
		t.Fatalf("rest %q, need %d", rest, need)
	}
	c.FeedSplit([]byte("de"), 1)
	hold = false
	c.Resume()
	c.Resume() // nothing is left: not called
	if got := strings.Join(s.log, " "); got != "abc bcd cde de" || l.Index() != 3 {
		t.Fatalf("Receive got %q", got)
	}
	second := &script{}
	s.receive = func([]byte) (int, int) { c.SetReceiver(second); return 2, 0 }
	c.Feed([]byte("12345"))
	c.PeerClose(io.EOF)
	c.PeerClose(io.EOF)
	if got := strings.Join(second.log, " "); got != "345 closed" || !errors.Is(second.errs[0], io.EOF) || len(s.errs) != 0 {
		t.Fatalf("second receiver got %q", got)
	}
	if closed, err := c.Closed(); !closed || err != io.EOF || c.Queue([]byte("x")) {
		t.Fatal("closed")
	}
}

func TestCloseIsNotReentrant(t *testing.T) {
	l := pollertest.NewLoop(0)
	s := &script{}
	c := pollertest.NewConn(l, s)
	s.receive = func([]byte) (int, int) {
		c.Close()
		if len(s.errs) != 0 || c.Queue([]byte("x")) {
			t.Error("closed inside")
		}
		return 0, 0
	}
	c.Feed([]byte("x"))
	if len(s.errs) != 1 || s.errs[0] != nil {
		t.Fatalf("Closed %v", s.errs)
	}
	c.Close()
	c.CloseAfterFlush()
	c.Resume()
	c.Feed([]byte("y"))
	if len(s.errs) != 1 || len(s.log) != 2 {
		t.Fatalf("%q", s.log)
	}
}

func TestQueueStallAndFlush(t *testing.T) {
	l := pollertest.NewLoop(0)
	s := &script{}
	c := pollertest.NewConn(l, s)
	l.Do(func() {
		c.Queue([]byte("a"))
		c.Queue([]byte("b"))
		if c.QueuedBytes() != 2 || c.QueuedFrames() != 2 {
			t.Error("sent inside of the entry")
		}
	})
	if c.QueuedBytes() != 0 || l.Writes() != 1 || c.FrameCount() != 2 || c.ByteCount() != 2 || string(c.Bytes()) != "ab" {
		t.Fatalf("%d writes, frames %q", l.Writes(), c.Frames())
	}
	c.Stall(true)
	l.SetQueueBytesMax(5)
	if !c.Queue([]byte("12345")) || c.Queue([]byte("6")) || c.QueuedBytes() != 5 || l.Counters.Refused.Load() != 1 {
		t.Fatal("high mark")
	}
	c.CloseAfterFlush()
	if closed, _ := c.Closed(); closed || !c.Leaving() {
		t.Fatal("closed before the flush")
	}
	c.Stall(false)
	if closed, err := c.Closed(); !closed || err != nil || len(s.errs) != 1 {
		t.Fatal("not closed after the flush")
	}
	full := pollertest.NewConn(l, s)
	l.SetQueueBytesMax(-1)
	if full.Queue([]byte("x")) {
		t.Fatal("a full queue")
	}
	if got := bytes.Join(c.TakeFrames(), nil); string(got) != "ab12345" || c.Frames() != nil {
		t.Fatalf("%q", got)
	}
}

func TestCloseAfterFlushOverrulesResume(t *testing.T) {
	l := pollertest.NewLoop(0)
	s := &script{receive: func([]byte) (int, int) { return 0, 0 }}
	c := pollertest.NewConn(l, s)
	c.Feed([]byte("rest"))
	l.Do(func() { c.Resume(); c.CloseAfterFlush() })
	if closed, err := c.Closed(); !closed || err != nil || len(s.log) != 2 {
		t.Fatalf("closed %v, %v, %q", closed, err, s.log)
	}
}

type ticker struct {
	wheel.Timer
	l     *pollertest.Loop
	times []time.Duration
	born  int64
}

func (k *ticker) Expire(now int64) {
	k.times = append(k.times, time.Duration(now-k.born))
	k.l.PostFunc(func() { k.l.Wheel().Schedule(&k.Timer, k.l.Now()+int64(10*time.Second)) })
}

func TestAdvanceStopsAtEachDeadline(t *testing.T) {
	l := pollertest.NewLoop(0)
	k := &ticker{l: l, born: l.Now()}
	k.Init(k)
	l.Wheel().Schedule(&k.Timer, l.Now()+int64(10*time.Second))
	l.Advance(25 * time.Second)
	if len(k.times) != 2 || k.times[0] != 10*time.Second || k.times[1] != 20*time.Second {
		t.Fatalf("fired at %v", k.times)
	}
	if l.Now()-k.born != int64(25*time.Second) || l.Posted() != 0 {
		t.Fatal("clock")
	}
	n := 0
	l.PostFunc(func() { n++; l.PostFunc(func() { n++ }) })
	if l.RunUntilIdle() != 2 || n != 2 {
		t.Fatal("RunUntilIdle")
	}
}

func TestRemote(t *testing.T) {
	home, away := pollertest.NewLoop(0), pollertest.NewLoop(1)
	s := &script{}
	c := pollertest.NewConn(away, s)
	r := c.Borrow(home)
	if c.Borrow(home) != r || r.RemoteAddr() != c.RemoteAddr() {
		t.Fatal("Borrow")
	}
	home.Do(func() {
		r.Queue([]byte("a"))
		r.Queue([]byte("b"))
	})
	if r.QueuedBytes() != 2 || r.QueuedFrames() != 2 || away.Posted() != 1 || len(c.Frames()) != 0 {
		t.Fatal("not batched")
	}
	away.RunUntilIdle()
	if r.QueuedBytes() != 0 || string(c.Bytes()) != "ab" {
		t.Fatalf("%q", c.Bytes())
	}
	r.CloseAfterFlush()
	away.RunUntilIdle()
	if closed, _ := c.Closed(); !closed || !r.Closed() || r.Queue([]byte("x")) {
		t.Fatal("CloseAfterFlush")
	}
	c = pollertest.NewConn(away, s)
	r = c.Borrow(home)
	home.Do(func() { r.Queue([]byte("lost")); r.Close() })
	away.RunUntilIdle()
	if closed, _ := c.Closed(); !closed || len(c.Frames()) != 0 {
		t.Fatal("Close")
	}
}

func TestAMillionQuietConns(t *testing.T) {
	if size := unsafe.Sizeof(pollertest.Conn{}); size > 112 {
		t.Fatalf("Conn has %d bytes", size)
	}
	conns := 1_000_000
	if testing.Short() {
		conns = 10_000
	}
	l := pollertest.NewLoop(0)
	list := make([]*pollertest.Conn, conns)
	for i := range list {
		list[i] = pollertest.NewQuietConn(l, nil)
	}
	frame := []byte("hello")
	l.Do(func() {
		for _, c := range list {
			c.Queue(frame)
		}
	})
	if l.Writes() != conns || list[conns-1].FrameCount() != 1 || list[0].Frames() != nil {
		t.Fatal("counters")
	}
}

// The method sets are those of the real ones, so that code under test declares one interface for both.
var (
	_ interface {
		Index() int
		Now() int64
		Wheel() *wheel.Wheel
		PostFunc(func())
		OnLoop() bool
	} = (*pollertest.Loop)(nil)
	_ interface {
		SetReceiver(pollertest.Receiver)
		Queue([]byte) bool
		QueuedBytes() int
		QueuedFrames() int
		Last([]byte)
		Resume()
		CloseAfterFlush()
		Close()
	} = (*pollertest.Conn)(nil)
)

// noted is a task that notes its run.
type noted struct {
	log *[]string
	say string
}

func (n *noted) Run(loop int) { *n.log = append(*n.log, n.say+string(rune('0'+loop))) }

func TestRunTurn(t *testing.T) {
	l := pollertest.NewLoop(2)
	c := pollertest.NewQuietConn(l, nil)
	var log []string
	l.Post(&noted{&log, "a"})
	l.PostFunc(func() {
		c.Queue([]byte("x"))
		l.Post(&noted{&log, "c"})
	})
	l.TryPost(&noted{&log, "b"})
	l.PostFunc(func() { c.Queue([]byte("y")) })
	if l.Posted() != 4 || l.RunTurn() != 4 || strings.Join(log, " ") != "a2 b2" {
		t.Fatalf("the turn ran %q", log)
	}
	if l.Writes() != 1 || c.FrameCount() != 2 || l.Posted() != 1 {
		t.Errorf("%d writes of %d frames, %d posted", l.Writes(), c.FrameCount(), l.Posted())
	}
	if l.RunTurn() != 1 || l.RunTurn() != 0 || strings.Join(log, " ") != "a2 b2 c2" {
		t.Errorf("the second turn ran %q", log)
	}
	task := &noted{new([]string), ""}
	*task.log = make([]string, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { l.Post(task); l.RunTurn(); *task.log = (*task.log)[:0] }); n > 1 {
		t.Errorf("%v allocations for a post", n) // one is the text of noted
	}
}

func TestFeedInPlace(t *testing.T) {
	l := pollertest.NewLoop(0)
	s := &script{}
	c := pollertest.NewQuietConn(l, s)
	data := []byte("ab")
	s.receive = func(got []byte) (int, int) { got[0] = 'X'; return 1, 0 }
	c.FeedInPlace(data)
	if rest, _ := c.Rest(); string(data) != "Xb" || string(rest) != "b" {
		t.Fatalf("%q, rest %q", data, rest)
	}
	s.receive = nil
	c.FeedInPlace([]byte("c"))
	c.Close()
	c.FeedInPlace([]byte("d"))
	if got := strings.Join(s.log, " "); got != "ab bc closed" {
		t.Errorf("Receive got %q", got)
	}
}

// A broadcast to many quiet connections reuses the loop's lists.
func TestFlushAllocates(t *testing.T) {
	l := pollertest.NewLoop(0)
	conns := make([]*pollertest.Conn, 100)
	for i := range conns {
		conns[i] = pollertest.NewQuietConn(l, nil)
	}
	frame := []byte("frame")
	all := func() {
		l.Do(func() {
			for _, c := range conns {
				c.Queue(frame)
			}
		})
	}
	all()
	if n := testing.AllocsPerRun(10, all); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
