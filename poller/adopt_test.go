package poller

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// unheard starts an engine that listens nowhere.
func unheard(t testing.TB, cfg Config) *Engine {
	t.Helper()
	cfg.Addrs = []string{}
	return start(t, cfg)
}

// pair is a connection of a listener that is not the engine's, and its client's end.
func pair(t testing.TB, network string) (server, client net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// An adopted connection of another listener is served. Bytes that were read before are received first.
func TestAdopt(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, listens := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, engine listens %v", network, listens), func(t *testing.T) {
				h := newHub()
				h.receive = echo
				cfg := Config{Accept: h.accept, Loops: 3}
				if !listens {
					cfg.Addrs = []string{}
				}
				e := start(t, cfg)
				for i, l := range e.Loops() {
					server, client := pair(t, network)
					want := client.LocalAddr().String()
					if err := l.Adopt(server, []byte("rest "), h.accept); err != nil {
						t.Fatal(err)
					}
					write(t, client, "more")
					expect(t, client, "rest more")
					p := h.next(t)
					for listens && p.conn.RemoteAddr().IsValid() && p.conn.RemoteAddr().String() != want {
						p = h.next(t) // the engine's own, by which it has found its loops
					}
					if got := p.conn.RemoteAddr(); network == "tcp" && got.String() != want || network == "unix" && got.IsValid() {
						t.Errorf("address %v, want %v", got, want)
					}
					if !listens && p.conn.Loop() != l {
						t.Errorf("on loop %d, want %d", p.conn.Loop().Index(), i)
					}
					if listens && e.revealedLoops() != 3 {
						t.Error("not all loops are shown")
					}
					if _, err := server.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
						t.Errorf("the old handle writes: %v", err)
					}
					_ = client.Close()
					if err := recv(t, p.closed, "Closed"); !errors.Is(err, io.EOF) {
						t.Errorf("Closed(%v)", err)
					}
				}
				eventually(t, "no connection left", func() bool { return e.Stats().Conns == 0 })
			})
		}
	}
}

// An engine without listeners has no address, and all that works on loops.
func TestEngineWithoutListeners(t *testing.T) {
	e := unheard(t, Config{Accept: newHub().accept, Loops: 2})
	if e.Addr() != nil || len(e.Addrs()) != 0 {
		t.Error("it has an address")
	}
	for _, l := range e.Loops() {
		on(t, l, func() {
			if !l.OnLoop() {
				t.Error("not on the loop")
			}
		})
	}
	stop(t, e)
	if err := e.Err(); err != nil {
		t.Error(err)
	}
	if err := e.Start(); !errors.Is(err, ErrStopped) {
		t.Errorf("Start after Stop: %v", err)
	}
}

// What is rejected gets Config.Reject, as if it had come in by a listener.
func TestAdoptOverMaxConns(t *testing.T) {
	h := newHub()
	h.receive = echo
	e := unheard(t, Config{Accept: h.accept, Loops: 1, MaxConns: 1, Reject: []byte("full")})
	first, firstClient := pair(t, "tcp")
	if err := e.Loops()[0].Adopt(first, nil, nil); err != nil {
		t.Fatal(err)
	}
	p := h.next(t)
	second, client := pair(t, "tcp")
	if err := e.Loops()[0].Adopt(second, []byte("x"), nil); !errors.Is(err, ErrFull) {
		t.Fatalf("Adopt over MaxConns: %v", err)
	}
	expect(t, client, "full")
	expectEOF(t, client)
	if s := e.Stats(); s.Conns != 1 || s.Rejected != 1 {
		t.Errorf("%+v", s)
	}
	_ = firstClient.Close()
	recv(t, p.closed, "Closed")
	third, client := pair(t, "tcp")
	if err := e.Loops()[0].Adopt(third, []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	expect(t, client, "x")
	e.Refuse(true)
	fourth, _ := pair(t, "tcp")
	if err := e.Loops()[0].Adopt(fourth, nil, nil); !errors.Is(err, ErrFull) {
		t.Fatalf("Adopt while refusing: %v", err)
	}
}

// What cannot be adopted is closed.
func TestAdoptRefuses(t *testing.T) {
	closed := func(c net.Conn) {
		t.Helper()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("still open")
		}
	}
	h := newHub()
	e, err := New(Config{Accept: h.accept, Loops: 1, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	server, client := pair(t, "tcp")
	if err := e.Loops()[0].Adopt(server, nil, nil); !errors.Is(err, ErrStopped) {
		t.Errorf("Adopt before Start: %v", err)
	}
	closed(client)
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	server, client = pair(t, "tcp")
	if err := e.Loops()[0].Adopt(tls.Server(server, &tls.Config{}), nil, nil); err == nil {
		t.Error("a TLS connection was adopted")
	}
	closed(client)
	server, _ = pair(t, "tcp")
	_ = server.Close()
	if err := e.Loops()[0].Adopt(server, nil, nil); err == nil {
		t.Error("a closed connection was adopted")
	}
	server, client = pair(t, "tcp")
	if err := e.Loops()[0].Adopt(server, []byte("x"), func(*Conn) Receiver { return nil }); err != nil {
		t.Error(err)
	}
	closed(client)
	server, client = pair(t, "tcp")
	if err := e.Loops()[0].Adopt(server, []byte("x"), func(*Conn) Receiver { panic("boom") }); err != nil {
		t.Error(err)
	}
	closed(client)
	stop(t, e)
	server, client = pair(t, "tcp")
	if err := e.Loops()[0].Adopt(server, nil, nil); !errors.Is(err, ErrStopped) {
		t.Errorf("Adopt after Stop: %v", err)
	}
	closed(client)
	if n := e.Stats().Conns; n != 0 {
		t.Errorf("%d connections", n)
	}
}

// A receiver may be exchanged while it handles the bytes that came along, and close.
func TestAdoptRest(t *testing.T) {
	h := newHub()
	second := &peer{closed: make(chan error, 1)}
	h.receive = func(p *peer, data []byte) (int, int) {
		second.conn, second.receive = p.conn, echo
		p.conn.SetReceiver(second)
		return 2, 0
	}
	e := unheard(t, Config{Accept: h.accept, Loops: 1})
	server, client := pair(t, "tcp")
	if err := e.Loops()[0].Adopt(server, []byte("12345"), nil); err != nil {
		t.Fatal(err)
	}
	expect(t, client, "345")
	h.receive = func(p *peer, data []byte) (int, int) {
		p.conn.Queue([]byte("bye"))
		p.conn.CloseAfterFlush()
		return len(data), 0
	}
	server, client = pair(t, "tcp")
	if err := e.Loops()[0].Adopt(server, []byte("12345"), nil); err != nil {
		t.Fatal(err)
	}
	expect(t, client, "bye")
	expectEOF(t, client)
}

func openFilesNow(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(entries)
}

// Many are adopted at once, some of which are reset, while the engine stops: each is either served and closed or
// refused and closed, and no descriptor is left.
func TestAdoptWhileStopping(t *testing.T) {
	for _, listens := range []bool{false, true} {
		for round := range 6 {
			t.Run(fmt.Sprintf("listens %v, %d", listens, round), func(t *testing.T) {
				adoptStorm(t, listens, round)
			})
		}
	}
}

func adoptStorm(t *testing.T, listens bool, round int) {
	const conns = 64
	before := openFilesNow(t)
	var opened, ended atomic.Int64
	h := newHub()
	h.receive = echo
	accept := func(c *Conn) Receiver {
		opened.Add(1)
		return &peer{conn: c, receive: echo, onClose: func(*peer, error) { ended.Add(1) }, closed: make(chan error, 1)}
	}
	cfg := Config{Accept: h.accept, Loops: 2}
	if !listens {
		cfg.Addrs = []string{}
	}
	e := start(t, cfg)
	servers, clients := make([]net.Conn, conns), make([]net.Conn, conns)
	for i := range conns {
		servers[i], clients[i] = pair(t, []string{"tcp", "unix"}[i%2])
	}
	var served, refused atomic.Int64
	var all sync.WaitGroup
	half := make(chan struct{})
	for i := range conns {
		all.Go(func() {
			if i%5 == 0 {
				if tcp, ok := clients[i].(*net.TCPConn); ok {
					_ = tcp.SetLinger(0)
					_ = tcp.Close()
				}
			}
			if i > conns/2 && round > 0 {
				<-half
			}
			switch err := e.Loops()[i%2].Adopt(servers[i], []byte("x"), accept); {
			case err == nil:
				served.Add(1)
			case errors.Is(err, ErrStopped):
				refused.Add(1)
			case errors.Is(err, syscall.ENOTCONN), strings.Contains(err.Error(), "gnet"):
			default:
				t.Errorf("Adopt: %v", err)
			}
			if i == conns/2 {
				close(half)
			}
		})
	}
	<-half
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	all.Wait()
	if opened.Load() != served.Load() || ended.Load() != served.Load() {
		t.Errorf("%d served, %d refused; %d opened, %d closed", served.Load(), refused.Load(), opened.Load(), ended.Load())
	}
	for _, c := range clients {
		_, _ = io.Copy(io.Discard, c) // ends when the other end is closed
		_ = c.Close()
	}
	eventually(t, "no descriptor left", func() bool { return openFilesNow(t) <= before })
}

// A path that somebody may serve whom we cannot reach is not taken away from him.
func TestUnixSocketOfAnotherKind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	e, err := New(Config{Addrs: []string{"unix://" + path}, Accept: newHub().accept, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Start: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the socket is gone")
	}
}
