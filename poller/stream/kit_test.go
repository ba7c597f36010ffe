package stream

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

// testLoop is a Loop on a clock of its own, driven by the test.
type testLoop struct {
	Loop
	now    int64
	posted []Task
	panics []string
}

func newTestLoop() (*testLoop, *Limits) {
	limits := &Limits{
		QueueBytesMax: 8 << 20, RestBytesMax: 1 << 20, DiscardBytesMax: 1000,
		WriteTimeout: 30 * time.Second, FlushTimeout: 5 * time.Second, TurnBytesMax: 1 << 20, TurnTime: time.Millisecond,
	}
	l := &testLoop{now: int64(time.Hour)}
	l.Init(l, limits, wheel.New(time.Millisecond, l.now), l.now)
	return l, limits
}

func (l *testLoop) Index() int                   { return 0 }
func (l *testLoop) Post(t Task)                  { l.posted = append(l.posted, t) }
func (l *testLoop) Clock() int64                 { return l.now }
func (l *testLoop) Panicked(entry string, _ any) { l.panics = append(l.panics, entry) }
func (l *testLoop) MustOwn(string)               {}
func (l *testLoop) Entered()                     {}

// turn does what an event loop does at the end of an entry, and runs what is posted.
func (l *testLoop) turn() {
	l.Settle()
	l.SendRemotes()
	l.FlushSome(1<<20, 1<<62)
	l.Settle()
	for len(l.posted) > 0 {
		t := l.posted[0]
		l.posted = l.posted[1:]
		t.Run(0)
		l.Settle()
	}
}

// advance moves the clock in steps.
func (l *testLoop) advance(d time.Duration) {
	for end := l.now + int64(d); l.now < end; {
		l.now = min(l.now+int64(100*time.Millisecond), end)
		l.SetNow(l.now)
		l.Wheel().Advance(l.now)
		l.turn()
	}
}

// testSocket takes bytes as long as there is room.
type testSocket struct {
	got     []byte
	room    int // -1: without end
	unsent  int
	ticket  uint64
	writes  int
	shut    int
	closed  int
	stopped bool
	failure error
}

func (s *testSocket) Write(parts [][]byte, total int) (n int, err error) {
	s.writes++
	if s.failure != nil {
		return 0, s.failure
	}
	for _, p := range parts {
		take := len(p)
		if s.room >= 0 {
			take = min(take, s.room)
			s.room -= take
		}
		s.got = append(s.got, p[:take]...)
		n += take
	}
	return n, nil
}

func (s *testSocket) AwaitWritable(ticket uint64) error { s.ticket = ticket; return nil }
func (s *testSocket) Unsent() int                       { return s.unsent }
func (s *testSocket) StopReading(stop bool)             { s.stopped = stop }
func (s *testSocket) CloseWrite() error                 { s.shut++; return s.failure }
func (s *testSocket) Close(error)                       { s.closed++ }

// conn returns an open connection over a socket with room without end.
func (l *testLoop) conn() *Conn {
	c, _, _ := l.open()
	return c
}

func (l *testLoop) open() (*Conn, *testSocket, *testReceiver) {
	s, r := &testSocket{room: -1, unsent: -1}, &testReceiver{}
	c := &Conn{}
	c.Init(&l.Loop, s, netip.AddrPort{})
	c.SetReceiver(r)
	return c, s, r
}

// testReceiver notes what it gets.
type testReceiver struct {
	got   []byte
	ends  []error
	reply func(data []byte) (int, int)
	end   func()
}

func (r *testReceiver) Receive(data []byte) (int, int) {
	r.got = append(r.got, data...)
	if r.reply != nil {
		return r.reply(data)
	}
	return len(data), 0
}

func (r *testReceiver) Closed(err error) {
	if r.ends = append(r.ends, err); r.end != nil {
		r.end()
	}
}

// ended checks that the connection is over, once, with that error.
func (r *testReceiver) ended(t *testing.T, s *testSocket, want error) {
	t.Helper()
	if len(r.ends) != 1 || !errors.Is(r.ends[0], want) || want == nil && r.ends[0] != nil || s.closed != 1 {
		t.Fatalf("Closed %v, the socket %d times; want %v once", r.ends, s.closed, want)
	}
}
