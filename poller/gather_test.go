package poller

import (
	"math"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"
)

// A loop waits for more events only when many are expected, from many connections, and few came in the pass.
func TestWhenLoopsGather(t *testing.T) {
	const most = int64(time.Millisecond)
	for _, c := range []struct {
		name   string
		gap    int64 // between two events, each in a pass of its own
		conns  int
		events int64 // in the latest pass
		hurry  bool
		posts  int64 // of other loops, with each event
		want   bool
	}{
		{"many connections", most / 10, 200, 1, false, 0, true},
		{"just often enough", most / gatherFew, 200, 1, false, 0, true},
		{"too seldom", most/gatherFew + 1000, 200, 1, false, 0, false},
		{"one client that waits for each answer", most / 10, 1, 1, false, 0, false},
		{"some clients that wait for each answer", most / 10, 20, 1, false, 0, false},
		{"few before enough", most / 10, 200, gatherEnough - 1, false, 0, true},
		{"enough in the pass", most / 10, 200, gatherEnough, false, 0, false},
		{"a blocked connection takes more", most / 10, 200, 1, true, 0, false},
		{"clients that wait for answers beside posts of other loops", most / 10, 1, 1, false, 2 * gatherTalk, false},
		{"posts of other loops", most / 10, 200, 1, false, 2 * gatherTalk, true},
	} {
		var g gathering
		now, events := int64(time.Hour), int64(0)
		if g.wanted(now, events, most) {
			t.Errorf("%s: at the beginning", c.name)
		}
		for i := range 200 {
			now += c.gap
			events += 1 + c.posts
			g.read(i%c.conns, now)
			g.wanted(now, events, most)
		}
		g.hurry = c.hurry
		if got := g.wanted(now, events+c.events, most); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		// A pause of the clients ends it, before the first wait after it.
		if g.wanted(now+int64(time.Second), events+c.events+1, most) {
			t.Errorf("%s: after a pause", c.name)
		}
	}
}

// What is posted while a loop waits does not request a turn, and runs, in order, when the wait is over.
func TestPostsWaitForTheEndOfAPause(t *testing.T) {
	l, _, _ := stubLoop(t, 0, Config{})
	var got []int
	post := func(n int) { l.PostFunc(func() { got = append(got, n) }) }
	ran := l.meanwhile(func() {
		if l.mailbox.schedule() != putQuiet {
			t.Error("a post would wake the loop")
		}
		post(1)
		post(2)
	})
	if !ran || !slices.Equal(got, []int{1, 2}) {
		t.Errorf("%v: %v ran", ran, got)
	}
	if l.meanwhile(func() {}); l.mailbox.schedule() != putWake {
		t.Error("a post after the pause would not wake the loop")
	}
	if l.meanwhile(func() { t.Error("waits though a turn is requested") }) {
		t.Error("true though a turn is requested")
	}
}

// gatherEngine starts an engine that answers everything, with clients.
func gatherEngine(t *testing.T, d time.Duration, conns int) (*Engine, []net.Conn) {
	t.Helper()
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		p.conn.Loop().PostFunc(func() {}) // as a broadcast does; nothing is gathered without turns
		return echo(p, data)
	}
	e := start(t, Config{Accept: h.accept, Loops: 2, GatherTime: d})
	list := make([]net.Conn, conns)
	for i := range list {
		list[i] = dial(t, e)
	}
	return e, list
}

// While many clients send, loops wait, and every answer comes, also when the program has one processor. Go's own
// network poller, which the clients here use, is looked at meanwhile.
func TestLoopsGatherForManyClients(t *testing.T) {
	for _, procs := range []int{1, 2} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		e, conns := gatherEngine(t, GatherTimeMax, 240)
		eventually(t, "a loop waits", func() bool {
			for i := 0; i < len(conns); i += 2 {
				write(t, conns[i], "x")
				write(t, conns[i+1], "x")
				time.Sleep(200 * time.Microsecond) // the pace of the clients
			}
			for _, c := range conns {
				expect(t, c, "x")
			}
			return e.Stats().Pauses > 0
		})
	}
}

// Loops do not wait for one client, nor when they are told never to.
func TestLoopsDoNotGather(t *testing.T) {
	for _, c := range []struct {
		name   string
		gather time.Duration
		conns  int
	}{
		{"one client", GatherTimeMax, 1},
		{"never", math.MaxInt64, 60},
		{"negative", -1, 60},
	} {
		e, conns := gatherEngine(t, c.gather, c.conns)
		for range 2000 / c.conns {
			for _, p := range conns {
				write(t, p, "x")
			}
			for _, p := range conns {
				expect(t, p, "x")
			}
		}
		if n := e.Stats().Pauses; n > 0 {
			t.Errorf("%s: %d pauses", c.name, n)
		}
	}
}
