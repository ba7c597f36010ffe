package server_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// Config.CloseTimeout bounds Close when clients take nothing, and the error says how many were cut; clients that read
// are not among them.
func TestCloseTimeoutCutsWhoTakesNothing(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, kind := range sites {
			t.Run(kind, func(t *testing.T) {
				t.Parallel() // they mostly wait
				// On a busy machine those that read need more than a second.
				s := newSite(t, kind, server.Config{CloseTimeout: 3 * time.Second}, nil)
				var all audience
				for range 3 {
					p := s.joinPolling(t, nil)
					all.add(func() sessiontest.Ending { return p.Rest(false) })
					s.joinPolling(t, nil) // never asks
					all.add(s.joinWebSocket(t, nil).Rest)
					s.joinWebSocket(t, nil) // never reads
				}
				text, event := blob(400_000)
				if n, err := s.srv.Emit("blob", text); n != 12 || err != nil {
					t.Fatal(n, err)
				}
				var cut *server.CloseError
				err := wait(t, closing(s.srv))
				if want := (server.CloseError{Connections: 3, Sessions: 3}); !errors.As(err, &cut) || *cut != want {
					t.Errorf("Close: %v; want %v", err, &want)
				}
				all.check(t, gotOne(event))
			})
		}
	})
}

// A handler that does not end is not waited for longer than Config.CloseTimeout either, and the others' answers leave.
func TestCloseTimeoutLeavesHandlers(t *testing.T) {
	stop := make(chan struct{})
	s := newSite(t, "listen tcp", server.Config{CloseTimeout: 500 * time.Millisecond}, func(srv *server.Server) {
		server.On0(srv.Of("/"), "never", func(context.Context, *server.Socket) error { <-stop; return nil })
		server.On0(srv.Of("/"), "soon", func(context.Context, *server.Socket) error { return nil })
	})
	var all audience
	never, soon := s.joinWebSocket(t, nil), s.joinWebSocket(t, nil)
	if err := errors.Join(never.Send(`421["never"]`), soon.Send(`421["soon"]`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the handler runs", func() bool { return s.srv.Stats().Handlers > 0 })
	all.add(never.Rest)
	var cut *server.CloseError
	if err := wait(t, closing(s.srv)); !errors.As(err, &cut) || *cut != (server.CloseError{Handlers: 1}) {
		t.Errorf("Close: %v", err)
	}
	if e := soon.Rest(); !e.Closed || !e.Has(sessiontest.MessageOf("431[]")) {
		t.Error(e.String())
	}
	close(stop)
	all.check(t, func(e *sessiontest.Ending) bool { return len(e.Messages) == 0 })
	eventually(t, "the handler has ended", func() bool { return s.srv.Stats().Handlers == 0 })
}

// A client that reads slowly, but steadily, has all of Config.CloseTimeout, many times the limit of one that takes
// nothing. It takes 8 s, and so runs in a soak test only.
func TestCloseTimeoutCountsProgress(t *testing.T) {
	if !netns.Soaking() {
		t.Skip("takes 8 s; make soak runs it")
	}
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, kind := range sites {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, kind, server.Config{CloseTimeout: sessiontest.Patience}, nil)
				var all audience
				all.add(s.joinWebSocket(t, func(c net.Conn) net.Conn { return sessiontest.Paced(c, 500_000) }).Rest)
				text, event := blob(4_000_000)
				if n, err := s.srv.Emit("blob", text); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				if err := s.srv.Close(); err != nil {
					t.Error(err)
				}
				all.check(t, gotOne(event))
			})
		}
	})
}
