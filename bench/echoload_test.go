package bench

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// echoWorker returns a worker that does not run, with one session that stands.
func echoWorker(t *testing.T) (s *subscriber, peer int) {
	t.Helper()
	s, c, peer := newTestSubscriber(t, Config{})
	l := &wsLink{sub: s, conn: c, open: true}
	s.link, c.owner = l, l
	s.w.tally.begin(windowEchoes, 0)
	return s, peer
}

// A request of an open loop counts from when it was due, however late the
// client or the server is: nothing is omitted.
func TestOpenLoopKeepsTheIntendedTimes(t *testing.T) {
	s, _ := echoWorker(t)
	e := &s.w.echo
	e.begin(echoPlan{Interval: 100, Until: 1000, Size: 32}, s.w, 0)
	if wait, ok := e.due(0); !ok || wait != 0 {
		t.Errorf("due in %v, %v", wait, ok)
	}
	e.pace(0)
	if wait, ok := e.due(40); !ok || wait != 60*time.Nanosecond {
		t.Errorf("due in %v, %v", wait, ok)
	}
	e.pace(350) // late: three at once, each with its own time
	var got []int64
	for _, r := range s.asked {
		got = append(got, r.at)
	}
	if len(got) != 4 || got[1] != 100 || got[2] != 200 || got[3] != 300 {
		t.Fatalf("intended times %v", got)
	}
	answer := func(id int, now int64) {
		s.answered([]byte("3"+strconv.Itoa(id)+`["`+strings.Repeat("x", 32)+`"]`), now)
	}
	answer(echoIDBase+1, 1100) // answers may overtake each other
	if s.w.tally.latencyMax != 1000 || e.outstanding != 3 {
		t.Errorf("latency %d, %d outstanding", s.w.tally.latencyMax, e.outstanding)
	}
	e.pace(5000)
	if e.active || s.w.tally.expected != 10 {
		t.Errorf("active %v, %d expected", e.active, s.w.tally.expected)
	}
	for id := range 10 {
		if id != 1 {
			answer(echoIDBase+id, 5000)
		}
	}
	if e.unfinished() != 0 || s.w.tally.delivered != 10 || s.w.tally.malformed != 0 {
		t.Errorf("%d unfinished, %d delivered", e.unfinished(), s.w.tally.delivered)
	}
}

func TestClosedLoopKeepsItsConcurrency(t *testing.T) {
	s, _ := echoWorker(t)
	e := &s.w.echo
	e.begin(echoPlan{Concurrency: 3, Until: 1000, Size: 32}, s.w, 0)
	text := `["` + strings.Repeat("x", 32) + `"]`
	for i := range 50 {
		if e.outstanding != 3 {
			t.Fatalf("%d in flight", e.outstanding)
		}
		s.answered([]byte("3"+strconv.Itoa(echoIDBase+i)+text), 10)
	}
	s.answered([]byte("3"+strconv.Itoa(echoIDBase+50)+text), 1000) // the time is over
	if e.active || e.outstanding != 2 {
		t.Errorf("active %v, %d in flight", e.active, e.outstanding)
	}
	// What a lost session was asked stays missing.
	e.abandon(s)
	if e.unfinished() != 0 || s.w.tally.expected-s.w.tally.delivered != 2 {
		t.Errorf("%d unfinished, %d of %d", e.unfinished(), s.w.tally.delivered, s.w.tally.expected)
	}
}

func TestAckID(t *testing.T) {
	for text, want := range map[string]struct {
		id   int
		rest string
	}{
		"100000000[]": {100000000, "[]"}, "7[1]": {7, "[1]"}, "[]": {-1, "[]"}, "": {-1, ""},
		"12345678901234567890[]": {-1, "12345678901234567890[]"},
	} {
		if id, rest := ackID([]byte(text)); id != want.id || string(rest) != want.rest {
			t.Errorf("%q: %d, %q", text, id, rest)
		}
	}
}

func TestEchoAllocates(t *testing.T) {
	s, peer := echoWorker(t)
	e := &s.w.echo
	e.begin(echoPlan{Concurrency: 1, Until: 1 << 60, Size: 128}, s.w, 0)
	answer := []byte("3" + strconv.Itoa(echoIDBase) + `["` + strings.Repeat("x", 128) + `"]`)
	buf := make([]byte, 4096)
	id := echoIDBase
	allocs := testing.AllocsPerRun(1000, func() {
		copy(answer[1:], strconv.AppendInt(buf[:0], int64(id), 10))
		id++
		s.answered(answer, 10)
		drain(peer, buf)
	})
	if allocs != 0 || s.w.tally.delivered != uint64(id-echoIDBase) {
		t.Errorf("%v allocations per round trip, %d delivered", allocs, s.w.tally.delivered)
	}
}
