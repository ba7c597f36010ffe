package poller

import (
	"testing"

	"github.com/panjf2000/gnet/v2"
)

// stubConn is a gnet.Conn whose kernel takes everything, or, when stuck, nothing.
type stubConn struct {
	gnet.Conn
	written int
	writes  int
	held    int
	stuck   bool
}

func (s *stubConn) Write(p []byte) (int, error) {
	s.writes++
	if s.stuck {
		s.held += len(p)
	} else {
		s.written += len(p)
	}
	return len(p), nil
}

func (s *stubConn) Writev(parts [][]byte) (n int, err error) {
	for i, p := range parts {
		m, _ := s.Write(p)
		n += m
		parts[i] = nil // gnet changes the caller's slice
		if i > 0 {
			s.writes--
		}
	}
	return n, nil
}

func (s *stubConn) OutboundBuffered() int { return s.held }
func (s *stubConn) Fd() int               { return -1 }

// stubLoop returns a loop that the calling goroutine drives itself, with conns connections.
func stubLoop(t testing.TB, conns int, cfg Config) (*Loop, []*Conn) {
	t.Helper()
	cfg.Addrs = []string{"tcp://127.0.0.1:0"}
	cfg.Accept = func(*Conn) Receiver { return nil }
	cfg.Loops = 1
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := e.loops[0]
	l.driver.Store(goroutineID())
	l.kill() // nobody else is to be woken
	list := make([]*Conn, conns)
	for i := range list {
		list[i] = &Conn{loop: l, gc: &stubConn{}}
	}
	return l, list
}

// turns takes turns until nothing is left.
func turns(l *Loop) {
	for {
		l.turn(false)
		if l.dirty.len() == 0 && l.mailbox.waiting() == 0 {
			return
		}
	}
}
