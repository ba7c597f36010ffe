package poller

import (
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
)

// blockers are clients that take their data when told to.
func blockers(t *testing.T, e *Engine, n int) (clients []net.Conn) {
	t.Helper()
	for range n {
		c, err := netns.Dialer(16<<10).Dial("tcp", e.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
		write(t, c, "go")
	}
	return clients
}

// On Linux gnet itself wakes a loop when blocked connections take more, from the second time on. Without its epoll set
// the engine's own set does. All data arrives either way.
func TestBlockedConnectionsRingTheBell(t *testing.T) {
	const size, rounds, conns = 4 << 20, 3, 8
	for _, c := range []struct {
		name string
		bell bool
	}{{"with a bell", runtime.GOOS == "linux"}, {"without", false}} {
		t.Run(c.name, func(t *testing.T) {
			h := newHub()
			h.receive = func(p *peer, data []byte) (int, int) {
				for range size >> 16 {
					p.conn.Queue(make([]byte, 1<<16))
				}
				return len(data), 0
			}
			e := start(t, Config{Accept: h.accept, Loops: 1, QueueBytesMax: 2 * size})
			l := e.loops[0]
			if !c.bell {
				on(t, l, func() { l.belled = true })
			}
			clients := blockers(t, e, conns)
			eventually(t, "all are blocked", func() bool { return e.Stats().Blocked == conns })
			for round := range rounds {
				for i, conn := range clients {
					if round > 0 {
						write(t, conn, "go")
					}
					if n, err := io.CopyN(io.Discard, conn, size); n != size || err != nil {
						t.Fatalf("round %d, connection %d: %d bytes, %v", round, i, n, err)
					}
				}
				if !c.bell {
					continue
				}
				eventually(t, "the bell hangs", func() (hangs bool) {
					on(t, l, func() { hangs = l.bell != nil })
					return hangs
				})
			}
			on(t, l, func() {
				if rung := l.bell != nil && l.bell.rings > 0; rung != c.bell {
					t.Errorf("the bell has rung: %v", rung)
				}
				if n := l.Counters.Blocked.Load(); n != 0 {
					t.Errorf("%d are blocked", n)
				}
			})
			// What is blocked at the end ends with the engine.
			for _, conn := range clients {
				write(t, conn, "go")
			}
			eventually(t, "all are blocked again", func() bool { return e.Stats().Blocked == conns })
		})
	}
}
