package server_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// What disconnect handlers set is there when the socket comes back, however long they take: its connect handlers, and
// those of its events, run behind them.
func TestValuesOfDisconnectHandlers(t *testing.T) {
	going, gone := server.NewKey[int]("going"), server.NewKey[int]("gone")
	for _, handlers := range []bool{false, true} {
		for _, slow := range []bool{false, true} {
			t.Run(fmt.Sprintf("connect handlers %v, slow %v", handlers, slow), func(t *testing.T) {
				inBubble(t, server.Config{}, func(t *testing.T, ts *servertest.Server) {
					ns, gate := ts.Of("/"), make(chan struct{})
					var order []string
					if !slow {
						close(gate)
					}
					ns.OnDisconnecting(func(s *server.Socket, _ server.Reason) {
						<-gate
						n, _ := going.Get(s)
						going.Set(s, n+1)
						order = append(order, "disconnecting")
					})
					ns.OnDisconnect(func(s *server.Socket, _ server.Reason) {
						n, _ := gone.Get(s)
						gone.Set(s, n+1)
						order = append(order, "disconnect")
					})
					look := func(s *server.Socket) error {
						order = append(order, "connect")
						a, _ := going.Get(s)
						b, _ := gone.Get(s)
						return s.Emit("values", a, b)
					}
					if handlers {
						ns.OnConnect(func(_ context.Context, s *server.Socket) error { return look(s) })
					}
					server.On0(ns, "look", func(_ context.Context, s *server.Socket) error { return look(s) })
					c := ts.Connect("/", nil)
					if handlers {
						c.Expect("values", 0, 0)
					}
					c.Cut()
					// Some come back, and are lost, before the handlers have run.
					for range 3 {
						if c = c.Reconnect(); !slow {
							break
						}
						if c.Connected() {
							t.Fatal("it is connected before its former life is over")
						}
						c.Cut()
					}
					if slow {
						c = c.Reconnect()
						close(gate)
						ts.Settle()
					}
					if !handlers {
						c.Emit("look")
					}
					c.Expect("values", 1, 1)
					want := []string{"connect", "disconnecting", "disconnect", "connect"}
					if !handlers {
						want = want[1:]
					}
					if !c.Recovered() || !slices.Equal(order, want) {
						t.Errorf("recovered %v, %q instead of %q", c.Recovered(), order, want)
					}
				})
			})
		}
	}
}

// Both lives of a socket have the same values, whichever goroutine sets them.
func TestValuesOfBothLives(t *testing.T) {
	key := server.NewKey[int]("n")
	srv := startRecoverable(t, server.Config{}, nil)
	ns := srv.Of("/")
	var l lost
	c := dial(t, srv)
	c.send("0")
	l.connected(c)
	l.events(c, `2["hello",false]`)
	former := ns.Socket(l.id)
	key.Set(former, 1)
	_ = c.conn.Close()
	waitGone(t, ns, l.id)
	stop, setting := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(setting)
		for n := 2; ; n++ {
			key.Set(former, n)
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	c = dial(t, srv)
	c.send(l.again())
	l.connected(c)
	l.events(c, `2["hello",true]`)
	s := ns.Socket(l.id)
	for range 1000 {
		if n, ok := key.Get(s); !ok || n < 1 {
			t.Fatal(n, ok)
		}
		_ = s.Data()
	}
	close(stop)
	<-setting
	key.Set(s, -1)
	if n, _ := key.Get(former); n != -1 {
		t.Errorf("the former life has %d", n)
	}
	if key.Delete(former); s == former {
		t.Error("it is the same socket")
	}
	if _, ok := key.Get(s); ok {
		t.Error("it was deleted")
	}
}
