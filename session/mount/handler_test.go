package mount

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
)

// A burst of small frames leaves no memory behind on a connection that is idle afterwards.
func TestBridgeKeepsLittle(t *testing.T) {
	_, b, _ := bridged(&script{})
	for b.Queue([]byte{1}) {
	}
	frames, _ := b.take(nil)
	if len(frames) <= bridgeFramesKeep {
		t.Fatalf("only %d frames", len(frames))
	}
	for range 2 {
		if frames, _ = b.take(frames); cap(frames) > bridgeFramesKeep || cap(b.out) > bridgeFramesKeep {
			t.Errorf("places for %d and %d frames", cap(frames), cap(b.out))
		}
	}
}

// Requests that net/http serves end with the event loops, when these fail, with their clients, and with the Handler: a
// loop that does not run any more answers nobody.
func TestVisitOfFailedLoops(t *testing.T) {
	for name, end := range map[string]func(h *Handler, fail, leave func()){
		"loops fail":     func(_ *Handler, fail, _ func()) { fail() },
		"client goes":    func(_ *Handler, _, leave func()) { leave() },
		"handler closes": func(h *Handler, _, _ func()) { h.Close(ended()) },
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan struct{})
			h := New(Config{
				WriteTimeout: time.Second, Failed: failed, Full: func(int) bool { return false }, Logger: slog.New(slog.DiscardHandler),
			})
			loop := pollertest.NewLoop(0) // nobody runs it
			h.Serve(newEngine(t, loop), []Loop{loop})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			req.RemoteAddr = netip.MustParseAddrPort("192.0.2.1:1").String()
			answered := make(chan int, 1)
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req.WithContext(ctx))
				answered <- w.Code
			}()
			for deadline := time.Now().Add(10 * time.Second); loop.Posted() == 0 && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			end(h, func() { close(failed) }, cancel)
			select {
			case code := <-answered:
				if code < 400 {
					t.Error(code)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits on")
			}
			if n := h.Visiting(); n != 0 {
				t.Errorf("%d requests are left", n)
			}
		})
	}
}

// ended is a context that is over.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
