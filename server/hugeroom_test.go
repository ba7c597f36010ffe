package server

import (
	"bytes"
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/session"
)

// realLoop is a server on one event loop with sockets of the kernel.
type realLoop struct {
	*Server
	engine *poller.Engine
	loop   *poller.Loop
	accept func(c session.StreamConn, loop int) session.Receiver
}

func newRealLoop(t *testing.T) *realLoop {
	t.Helper()
	srv, err := New(Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := &realLoop{Server: srv}
	r.engine, err = poller.New(poller.Config{
		Addrs: []string{"tcp://127.0.0.1:0"}, Loops: 1,
		Accept: func(c *poller.Conn) poller.Receiver { return r.accept(c, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.loop = r.engine.Loops()[0]
	if r.accept, err = srv.attach([]eventLoop{r.loop}, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.engine.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := r.engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// do runs fn on the loop and waits for it.
func (r *realLoop) do(fn func()) {
	done := make(chan struct{})
	r.loop.PostFunc(func() {
		fn()
		close(done)
	})
	<-done
}

// populate connects so many members, whose connections lead nowhere.
func (r *realLoop) populate(members int) {
	const batch = 500
	for left := members; left > 0; left -= batch {
		r.do(func() {
			for range min(batch, left) {
				c := new(sink)
				c.recv = r.accept(c, 0)
				c.feed(bytes.Clone(handshake), packet("0"))
			}
		})
	}
	r.do(func() {}) // what connecting has posted
}

// pingTimes lets a client on a real connection ping for some time, and returns the times until the pongs, in order. The
// loop that reads a ping answers it, so the time is how long the loop looks at none of its sockets.
func (r *realLoop) pingTimes(t *testing.T, conn net.Conn, d time.Duration) (times []time.Duration) {
	t.Helper()
	ping := ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(nil)))
	for end := time.Now().Add(d); time.Now().Before(end); {
		began := time.Now()
		if _, err := conn.Write(ping); err != nil {
			t.Fatal(err)
		}
		for pong := false; !pong; { // events may come in between
			f, err := ws.ReadFrame(conn)
			if err != nil {
				t.Fatal(err)
			}
			pong = f.Header.OpCode == ws.OpPong
		}
		times = append(times, time.Since(began))
		time.Sleep(200 * time.Microsecond)
	}
	slices.Sort(times)
	return times
}

// A broadcast to very many members on one loop takes several turns, between which the loop looks at its sockets. How
// long others wait meanwhile is logged, for the soak test with 50,000 members.
func TestHugeBroadcastTakesTurnsOnARealLoop(t *testing.T) {
	members, d := 20_000, 300*time.Millisecond
	if netns.Soaking() {
		members, d = 50_000, 3*time.Second
	}
	if raceEnabled {
		members = 10_000
	}
	r := newRealLoop(t)
	r.populate(members)
	conn, _, _, err := ws.Dial(context.Background(), "ws://"+r.engine.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	before := r.loop.Stats().Turns
	if n, err := r.root.To().Emit("tick"); n != members || err != nil {
		t.Fatalf("%d members, %v", n, err)
	}
	r.do(func() {}) // behind the broadcast
	turns := int(r.loop.Stats().Turns - before)
	if least := members * deliverWork / int(poller.DefaultTurnTime); turns < least {
		t.Errorf("a broadcast to %d took %d turns, at least %d", members, turns, least)
	}

	quiet := r.pingTimes(t, conn, d)
	stop, stopped := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var walks []time.Duration
		for {
			select {
			case <-stop:
				slices.Sort(walks)
				stopped <- walks
				return
			default:
				began := time.Now()
				_, _ = r.root.To().Emit("tick")
				r.do(func() {})
				walks = append(walks, time.Since(began))
				time.Sleep(5 * time.Millisecond)
			}
		}
	}()
	busy := r.pingTimes(t, conn, d)
	close(stop)
	walks := <-stopped
	at := func(times []time.Duration, percent int) time.Duration { return times[(len(times)-1)*percent/100] }
	t.Logf("%d broadcasts to %d, %d turns: each took %v (median), %v (99 %%)", len(walks), members, turns, at(walks, 50), at(walks, 99))
	t.Logf("pongs without them: median %v, 99 %% %v, longest %v", at(quiet, 50), at(quiet, 99), at(quiet, 100))
	t.Logf("pongs meanwhile: median %v, 99 %% %v, longest %v", at(busy, 50), at(busy, 99), at(busy, 100))
}
