package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/memory"
)

// held returns how many bytes the clients hold.
func (r *rig) held() int64 { return r.srv.Stats().MemoryHeld }

func (r *rig) wantHeld(t testing.TB, least, most int64) {
	t.Helper()
	if n := r.held(); n < least || n > most {
		t.Fatalf("%d bytes held, want %d to %d", n, least, most)
	}
}

// wantNoneHeld fails when clients hold something.
func (r *rig) wantNoneHeld(t testing.TB) {
	t.Helper()
	r.wantHeld(t, 0, 0)
	if n := r.loop.Memory().Listed(); n != 0 {
		t.Fatalf("%d holders listed", n)
	}
}

// waitFor runs the loop until cond is true.
func (r *rig) waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("timeout: %s", what)
		}
		r.loop.run()
	}
}

func TestMemoryBudgetDefault(t *testing.T) {
	least := memory.ReadLimits().Least()
	for _, c := range []struct {
		value, want int64
		fails       bool
	}{
		{value: 0, want: least / 4},
		{value: -1, want: -1},
		{value: 1 << 20, want: 1 << 20},
		{value: 1<<20 - 1, fails: true},
	} {
		cfg, err := Config{MemoryBudget: c.value}.settle()
		if (err != nil) != c.fails || err == nil && cfg.MemoryBudget != c.want {
			t.Errorf("%d became %d, %v; want %d", c.value, cfg.MemoryBudget, err, c.want)
		}
		if c.fails && !strings.Contains(err.Error(), "MemoryBudget") {
			t.Errorf("%v does not name the field", err)
		}
	}
}

// Without a bound nothing is counted.
func TestMemoryBudgetSwitchedOff(t *testing.T) {
	r := newRig(t, Config{MemoryBudget: -1})
	c, s := r.join(t)
	c.Stall(true)
	for range 30 {
		_ = s.Emit("e", strings.Repeat("x", 100_000))
	}
	r.loop.run()
	if st := r.srv.Stats(); st.MemoryHeld != 0 || st.MemoryBudget != 0 || st.Evicted != 0 {
		t.Errorf("held %d, budget %d, evicted %d", st.MemoryHeld, st.MemoryBudget, st.Evicted)
	}
}

// Events that wait for handlers count. Above the budget their clients are ended, and the events dropped, but for the
// one that is handled; disconnect handlers run.
func TestMemoryBudgetOfWaitingEvents(t *testing.T) {
	r := newRig(t, Config{MemoryBudget: 2 << 20})
	gate := make(chan struct{})
	handled, gone := make(chan string, 100), make(chan Reason, 10)
	r.srv.root.On("e", func(_ context.Context, m *Message) {
		<-gate
		handled <- m.Socket().ID()
	})
	r.srv.root.OnDisconnect(func(_ *Socket, reason Reason) { gone <- reason })
	bystander := r.dial()
	bystander.Feed(packet("0"))
	hog := r.dial()
	hog.Feed(packet("0"))
	r.loop.run()
	big := packet(`2["e","` + strings.Repeat("x", 200_000) + `"]`)
	bystander.Feed(packet(`2["e","` + strings.Repeat("x", 10_000) + `"]`))
	for range 9 {
		hog.Feed(append([]byte(nil), big...))
	}
	r.loop.run()
	r.wantHeld(t, 1_800_000, 1_850_000)
	for range 3 {
		hog.Feed(append([]byte(nil), big...))
	}
	r.loop.run()
	st := r.srv.Stats()
	if st.Evicted != 1 || st.EventsShed < 9 || st.MemoryBudget != 2<<20 {
		t.Errorf("evicted %d, shed %d, budget %d", st.Evicted, st.EventsShed, st.MemoryBudget)
	}
	r.wantHeld(t, 200_000, 250_000)
	if closed, _ := hog.Closed(); !closed {
		t.Error("the connection is open")
	}
	if closed, _ := bystander.Closed(); closed {
		t.Error("a client that holds little was ended")
	}
	close(gate)
	r.waitFor(t, "handlers", func() bool { return r.srv.jobs.Load() == 0 })
	if len(handled) != 2 || len(gone) != 1 || <-gone != ReasonTransportError {
		t.Errorf("%d events handled, %d sockets gone", len(handled), len(gone))
	}
	r.waitFor(t, "nothing is held", func() bool { return r.held() == 0 })
}

// The events of clients that have left count, and are dropped, too: leaving must not be a way around the bound.
func TestMemoryBudgetOfEventsOfTheGone(t *testing.T) {
	r := newRig(t, Config{MemoryBudget: 2 << 20})
	gate := make(chan struct{})
	r.srv.root.On("e", func(context.Context, *Message) { <-gate })
	for range 20 {
		c := r.dial()
		c.Feed(packet("0"))
		r.loop.run()
		for range 3 {
			c.Feed(packet(`2["e","` + strings.Repeat("x", 200_000) + `"]`))
		}
		c.PeerClose(nil)
		r.loop.run()
	}
	if st := r.srv.Stats(); st.EventsShed == 0 {
		t.Error("no event was dropped")
	}
	close(gate)
	r.waitFor(t, "handlers", func() bool { return r.srv.jobs.Load() == 0 })
	r.wantHeld(t, 0, 0)
}

// A packet whose attachments have not all come counts, with each parser, until it is whole or its client gone.
func TestMemoryBudgetOfIncompletePackets(t *testing.T) {
	header := `52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	part := strings.Repeat("x", 100_000)
	for name, test := range map[string]struct {
		cfg    Config
		header []byte
		parts  [][]byte
	}{
		"default parser": {Config{}, packet(header), [][]byte{attachment(part), attachment(part)}},
		"another parser": {Config{Parser: wordParser{}}, packet("event / e"), [][]byte{packet(strconv.Quote(part)), packet("end")}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.cfg)
			r.srv.root.On("e", func(context.Context, *Message) {}, Inline())
			c := r.dial()
			if test.cfg.Parser == nil {
				c.Feed(packet("0"))
			} else {
				feed(c, packet("connect / {}"), packet("end"))
			}
			r.socket(t)
			r.wantNoneHeld(t)
			c.Feed(append([]byte(nil), test.header...))
			c.Feed(append([]byte(nil), test.parts[0]...))
			r.wantHeld(t, 100_000, 210_000)
			c.Feed(append([]byte(nil), test.parts[1]...))
			r.wantNoneHeld(t)
			c.Feed(append([]byte(nil), test.header...))
			c.Feed(append([]byte(nil), test.parts[0]...))
			r.wantHeld(t, 100_000, 210_000)
			c.PeerClose(nil)
			r.loop.run()
			r.wantNoneHeld(t)
		})
	}
	// Above the budget their clients are ended.
	r := newRig(t, Config{MemoryBudget: 1 << 20})
	for range 20 {
		c := r.dial()
		c.Feed(packet("0"))
		c.Feed(packet(header))
		c.Feed(attachment(part))
		r.loop.run()
	}
	if st := r.srv.Stats(); st.Evicted == 0 || st.MemoryHeld > 1<<20 {
		t.Errorf("evicted %d, held %d", st.Evicted, st.MemoryHeld)
	}
}

// What is sent before CONNECT counts, a broadcast once; above the budget clients are ended.
func TestMemoryBudgetOfEarlyPackets(t *testing.T) {
	r := newRig(t, Config{MemoryBudget: 4 << 20})
	gate := make(chan struct{})
	r.srv.root.OnConnect(func(context.Context, *Socket) error { <-gate; return nil })
	var sockets []*Socket
	for range 10 {
		r.dial().Feed(packet("0"))
	}
	r.waitFor(t, "all are announced", func() bool {
		sockets = r.srv.root.Sockets()
		return len(sockets) == 10
	})
	emit := func(n int, emit func(data string) error) {
		t.Helper()
		for range n {
			if err := emit(strings.Repeat("x", 100_000)); err != nil {
				t.Fatal(err)
			}
		}
		r.loop.run()
	}
	emit(20, func(data string) error { _, err := r.srv.Emit("e", data); return err })
	r.wantHeld(t, 2_000_000, 2_020_000)
	emit(10, func(data string) error { return sockets[0].Emit("e", data) })
	r.wantHeld(t, 3_000_000, 3_050_000)
	emit(15, func(data string) error { return sockets[1].Emit("e", data) })
	r.wantHeld(t, 2_000_000, 3_700_000)
	if st := r.srv.Stats(); st.Evicted != 1 || !sockets[1].closed.Load() || sockets[0].closed.Load() {
		t.Errorf("evicted %d", st.Evicted)
	}
	close(gate)
	r.waitFor(t, "handlers", func() bool { return r.srv.jobs.Load() == 0 })
	r.loop.run()
	r.wantNoneHeld(t)
}

// One large broadcast to all ends nobody.
func TestMemoryBudgetSharesBroadcasts(t *testing.T) {
	r := newRig(t, Config{MemoryBudget: 4 << 20})
	r.loop.SetQueueBytesMax(8 << 20)
	for i := range 500 {
		c := r.dial()
		c.Feed(packet("0"))
		c.Stall(i%2 == 0)
	}
	r.loop.run()
	for range 5 {
		if n, err := r.srv.Emit("e", strings.Repeat("x", 500_000)); n != 500 || err != nil {
			t.Fatal(n, err)
		}
		r.loop.run()
	}
	if st := r.srv.Stats(); st.Evicted != 0 || st.MemoryHeld < 2_500_000 || st.MemoryHeld > 3_000_000 {
		t.Errorf("evicted %d, held %d", st.Evicted, st.MemoryHeld)
	}
}

// The log says that clients were ended, and why.
func TestMemoryBudgetIsLogged(t *testing.T) {
	records := make(chan string, 10)
	r := newRig(t, Config{MemoryBudget: 1 << 20, Logger: slog.New(recorder(records))})
	r.loop.SetQueueBytesMax(8 << 20)
	c, s := r.join(t)
	c.Stall(true)
	for range 12 {
		_ = s.Emit("e", strings.Repeat("x", 100_000))
	}
	r.loop.run()
	if got := <-records; got != "memory budget exceeded, clients disconnected clients=1" {
		t.Errorf("logged %q", got)
	}
}

// recorder is a slog.Handler that takes messages from Warn on, with their first attributes.
type recorder chan string

func (r recorder) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (r recorder) WithAttrs([]slog.Attr) slog.Handler           { return r }
func (r recorder) WithGroup(string) slog.Handler                { return r }
func (r recorder) Handle(_ context.Context, rec slog.Record) error {
	text := rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return false
	})
	r <- text
	return nil
}

// Long auth payloads count as long as their sockets live, also refused ones; above the budget their clients are ended.
func TestMemoryBudgetOfAuth(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "recovery": {Recovery: Recovery{MaxDisconnection: time.Minute}}} {
		t.Run(name, func(t *testing.T) {
			cfg.MemoryBudget = 1 << 20
			r := newRig(t, cfg)
			connect := packet(`0{"token":"` + strings.Repeat("x", 50_000) + `"}`)
			c := r.dial()
			c.Feed(append([]byte(nil), connect...))
			r.socket(t)
			r.wantHeld(t, 50_000, 50_100)
			c.Feed(packet("1"))
			r.loop.run()
			r.wantNoneHeld(t)
			for range 30 {
				r.dial().Feed(append([]byte(nil), connect...))
				r.loop.run()
			}
			st := r.srv.Stats()
			if st.Evicted == 0 || st.MemoryHeld > 1<<20 || st.Sessions.Open < 15 {
				t.Errorf("evicted %d, held %d, %d sessions", st.Evicted, st.MemoryHeld, st.Sessions.Open)
			}
		})
	}
}

// Packets on their way to the loop of a socket count, and are refused when there is far too much of them.
func TestMemoryBudgetOfPostedPackets(t *testing.T) {
	r := newRig(t, Config{MemoryBudget: 1 << 20})
	r.loop.SetQueueBytesMax(64 << 20)
	_, s := r.join(t)
	data := strings.Repeat("x", 100_000)
	sent := 0
	for ; sent < 1000; sent++ {
		if err := s.Emit("e", data); err != nil {
			if !errors.Is(err, ErrQueueFull) {
				t.Error(err)
			}
			break
		}
	}
	if sent < 20 || sent > 25 {
		t.Errorf("%d packets of 100 KB were taken", sent)
	}
	r.wantHeld(t, 2<<20, 3<<20)
	r.loop.run()
	r.wantNoneHeld(t) // the peer reads
	if err := s.Emit("e", data); err != nil || !s.Connected() {
		t.Error(err)
	}
	r.loop.run()
	r.wantNoneHeld(t)
}
