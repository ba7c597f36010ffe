package poller

import (
	"net/netip"
	"testing"
)

// stubSocket is a socket whose kernel takes everything, or, when stuck, nothing more.
type stubSocket struct {
	written int
	writes  int
	stuck   bool
	ticket  uint64
}

func (s *stubSocket) Write(_ [][]byte, total int) (int, error) {
	s.writes++
	if s.stuck {
		return 0, nil
	}
	s.written += total
	return total, nil
}

func (s *stubSocket) AwaitWritable(ticket uint64) error {
	s.ticket = ticket
	return nil
}

func (s *stubSocket) Unsent() int       { return -1 }
func (s *stubSocket) StopReading(bool)  {}
func (s *stubSocket) CloseWrite() error { return nil }
func (s *stubSocket) Close(error)       {}

// stubLoop returns a loop that the calling goroutine drives itself, with conns connections.
func stubLoop(t testing.TB, conns int, cfg Config) (*Loop, []*Conn, []*stubSocket) {
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
	list, socks := make([]*Conn, conns), make([]*stubSocket, conns)
	for i := range list {
		list[i], socks[i] = &Conn{}, &stubSocket{}
		list[i].Init(&l.Loop, socks[i], netip.AddrPort{})
	}
	return l, list, socks
}

// turns takes turns until nothing is left.
func turns(l *Loop) {
	for {
		l.turn(false)
		if l.Dirty() == 0 && l.mailbox.waiting() == 0 {
			return
		}
	}
}
