package server

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A burst of small frames leaves no memory behind on a connection that is idle afterwards.
func TestBridgeKeepsLittle(t *testing.T) {
	_, b, _ := bridged(t, &script{})
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

// Requests that net/http serves end with the event loops, when these fail, and with their clients: a loop that does not
// run any more answers nobody.
func TestVisitOfFailedLoops(t *testing.T) {
	for name, end := range map[string]func(srv *Server, cancel func()){
		"loops fail":  func(srv *Server, _ func()) { srv.end(errors.New("failed")) },
		"client goes": func(_ *Server, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{}) // nobody runs its loop
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
				r.srv.Handler().ServeHTTP(w, req.WithContext(ctx))
				answered <- w.Code
			}()
			waitUntil(10*time.Second, func() bool { return len(r.loop.waiting()) > 0 })
			end(r.srv, cancel)
			select {
			case code := <-answered:
				if code < 400 {
					t.Error(code)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits on")
			}
		})
	}
}

// waiting is what is posted.
func (l *rigLoop) waiting() []task {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tasks
}
