package server_test

import (
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// A server serves listeners that the program has opened, besides its own or alone, until it closes.
func TestServe(t *testing.T) {
	for name, addrs := range map[string][]string{"alone": nil, "besides": {"127.0.0.1:0"}} {
		t.Run(name, func(t *testing.T) {
			srv, err := server.New(server.Config{Loops: 2})
			if err != nil {
				t.Fatal(err)
			}
			tcp, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			early, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if err := srv.Serve(early); err == nil {
				t.Error("a server that does not run serves a listener")
			}
			if _, err := early.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if err := srv.Listen(addrs...); err != nil {
				t.Fatal(err)
			}
			unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 2)
			var all audience
			const each = 20
			for _, ln := range []net.Listener{tcp, unix} {
				go func() { served <- srv.Serve(ln) }()
				s := &site{srv: srv, network: ln.Addr().Network(), addr: ln.Addr().String()}
				for range each {
					all.add(s.joinWebSocket(t, nil).Rest)
					p := s.joinPolling(t, nil)
					all.add(func() sessiontest.Ending { return p.Rest(false) })
				}
			}
			if n, err := srv.Emit("e"); n != 4*each || err != nil {
				t.Error(n, err)
			}
			for _, l := range srv.LoopStats(t.Context()) {
				if l.Conns < each {
					t.Errorf("%d connections on loop %d", l.Conns, l.Loop)
				}
			}
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := wait(t, served); err != nil {
					t.Error(err)
				}
			}
			all.check(t, gotOne(sessiontest.MessageOf(`42["e"]`)))
			for _, ln := range []net.Listener{tcp, unix} {
				if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the listener is open still: %v", err)
				}
			}
		})
	}
}
