package poller

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// CloseAfterFlush waits for a peer that reads slowly but steadily, many times as long as FlushTimeout: that is a limit
// on the time without progress.
func TestCloseAfterFlushWaitsForSlowReaders(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		const size, rate = 2 << 20, 1 << 20
		h := newHub()
		h.receive = func(p *peer, data []byte) (int, int) {
			for range size >> 16 {
				p.conn.Queue(bytes.Repeat([]byte("x"), 1<<16))
			}
			p.conn.CloseAfterFlush()
			return len(data), 0
		}
		e := start(t, Config{Accept: h.accept, Loops: 1, QueueBytesMax: 2 * size, FlushTimeout: 200 * time.Millisecond})
		conn, err := netns.Dialer(16<<10).Dial("tcp", e.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		write(t, conn, "go")
		if n, err := io.Copy(io.Discard, sessiontest.Paced(conn, rate)); n != size || err != nil {
			t.Errorf("%d of %d bytes came, %v", n, size, err)
		}
		_ = conn.Close()
		if err := recv(t, h.next(t).closed, "end of the connection"); err != nil {
			t.Errorf("the connection ended with %v", err)
		}
	})
}
