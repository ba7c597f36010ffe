package poller

import (
	"errors"
	"io"
	"math"
	"net"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
)

// The longest Duration means "never" for each time of Config: none of them ends a connection or a turn at once.
func TestLongestDurationIsNever(t *testing.T) {
	const never = time.Duration(math.MaxInt64)
	for name := range pollertest.Durations(&Config{}) {
		t.Run(name, func(t *testing.T) {
			h := newHub()
			cfg := Config{Accept: h.accept, Loops: 1, DrainTime: time.Minute, FlushTime: time.Minute} // no limits here
			*pollertest.Durations(&cfg)[name] = never
			if name == "TimerResolution" { // a step of time, and no limit
				var wrong *ConfigError
				if _, err := New(cfg); !errors.As(err, &wrong) || wrong.Field != name {
					t.Errorf("New: %v", err)
				}
				return
			}
			const size = 8 << 20
			cfg.QueueBytesMax = 2 * size
			e := start(t, cfg)

			// A connection that is blocked when it leaves gets all out.
			slow := dial(t, e)
			c := h.next(t).conn
			on(t, e.Loops()[0], func() {
				c.Queue(make([]byte, size))
				c.CloseAfterFlush()
			})
			checkTurns(t, e, h)
			if n, err := io.Copy(io.Discard, slow); n != size {
				t.Errorf("the slow connection got %d bytes of %d: %v", n, size, err)
			}
		})
	}
}

// checkTurns checks that a turn does all that its numbers of tasks and of connections allow.
func checkTurns(t *testing.T, e *Engine, h *hub) {
	t.Helper()
	const tasks, conns = 1000, 100
	var peers []net.Conn
	var served []*Conn
	for range conns {
		peers = append(peers, dial(t, e))
		served = append(served, h.next(t).conn)
	}
	var before, between int64
	gate, posted := make(chan struct{}), make(chan struct{})
	loop := e.Loops()[0]
	loop.PostFunc(func() {
		<-gate // until all is posted
		before = e.Stats().Turns
	})
	for range tasks {
		loop.PostFunc(func() {})
	}
	loop.PostFunc(func() {
		between = e.Stats().Turns
		for _, c := range served {
			c.Queue([]byte("x"))
		}
		close(posted)
	})
	close(gate)
	recv(t, posted, "end of the tasks")
	for _, c := range peers {
		expect(t, c, "x")
	}
	if after := e.Stats().Turns; between-before > 1 || after-between > conns/2 {
		t.Errorf("%d tasks took %d turns, and writing to %d connections %d", tasks, between-before, conns, after-between)
	}
}
