package server_test

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// smallWindow is the receive buffer of the clients that show whether a server waits for its peers: the kernel takes
// little for them.
const smallWindow = 16 << 10

// sites are the ways in which a server gets its connections: by its own listener, or by a program's HTTP server.
var sites = []string{"listen tcp", "listen unix", "mount tcp", "mount unix", "mount wrapped", "mount tls"}

// site is a server, and how clients with a small window connect to it.
type site struct {
	srv     *server.Server
	network string
	addr    string
	tls     bool
	// emit, if srv is nil, sends an event to the client that there is.
	emit func()
}

// newSite starts a server of that kind. The test's end closes it.
func newSite(t *testing.T, kind string, cfg server.Config, setup func(srv *server.Server)) *site {
	t.Helper()
	if mount, ok := strings.CutPrefix(kind, "mount "); ok {
		h := hosted(t, mount, cfg, setup)
		addr := h.http.Listener.Addr()
		return &site{srv: h.srv, network: addr.Network(), addr: addr.String(), tls: mount == "tls"}
	}
	if kind == "listen tcp" {
		srv := start(t, cfg, setup)
		return &site{srv: srv, network: "tcp", addr: srv.Addr().String()}
	}
	cfg.Loops = max(cfg.Loops, 2)
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if setup != nil {
		setup(srv)
	}
	path := filepath.Join(t.TempDir(), "s")
	if err := srv.Listen("unix://" + path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return &site{srv: srv, network: "unix", addr: path}
}

// connect opens a connection whose reads may be slowed down by pace; nil leaves them as they are.
func (s *site) connect(t *testing.T, pace func(net.Conn) net.Conn) net.Conn {
	t.Helper()
	conn, err := netns.Dialer(smallWindow).Dial(s.network, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if pace != nil {
		conn = pace(conn)
	}
	if s.tls {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	return conn
}

// joinWebSocket connects a client to the namespace "/".
func (s *site) joinWebSocket(t *testing.T, pace func(net.Conn) net.Conn) *sessiontest.WebSocket {
	t.Helper()
	c, err := sessiontest.JoinWebSocket(s.connect(t, pace), "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *site) joinPolling(t *testing.T, pace func(net.Conn) net.Conn) *sessiontest.Polling {
	t.Helper()
	c, err := sessiontest.JoinPolling(s.connect(t, pace), s.connect(t, nil), "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// audience is a number of clients that read until their end.
type audience struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	ends []sessiontest.Ending
}

// add has a client read until its end.
func (a *audience) add(rest func() sessiontest.Ending) {
	a.wg.Go(func() {
		e := rest()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ends = append(a.ends, e)
	})
}

// check waits for all, and wants each to have been told the end, and to have got what it should.
func (a *audience) check(t *testing.T, want func(e *sessiontest.Ending) bool) {
	t.Helper()
	a.wg.Wait()
	faulty := 0
	for i := range a.ends {
		e := &a.ends[i]
		if e.Closed && e.Err == nil && want(e) {
			continue
		}
		if faulty++; faulty <= 3 {
			t.Errorf("a client ended with %v", e)
		}
	}
	if faulty > 0 {
		t.Errorf("%d of %d clients lost something", faulty, len(a.ends))
	}
}

// blob returns an event of about so many bytes: its argument, and what clients get.
func blob(bytes int) (argument string, event sessiontest.Message) {
	argument = strings.Repeat("0123456789abcdef", bytes/16)
	return argument, sessiontest.MessageOf(`42["blob","` + argument + `"]`)
}

// gotOne tells that a client got that event and nothing else.
func gotOne(want sessiontest.Message) func(e *sessiontest.Ending) bool {
	return func(e *sessiontest.Ending) bool { return len(e.Messages) == 1 && e.Messages[0] == want }
}

// slowly reads 2 MB a second.
func slowly(c net.Conn) net.Conn { return sessiontest.Paced(c, 2<<20) }

// closing closes the server in the background; the result is that of Close.
func closing(srv *server.Server) <-chan error {
	done := make(chan error, 1)
	go func() { done <- srv.Close() }()
	return done
}

// wait takes one value, from something that may take as long as clients are patient.
func wait[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(sessiontest.Patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}
