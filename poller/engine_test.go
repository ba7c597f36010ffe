package poller

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// An idle connection is to fit the allocator's class of 112 bytes.
func TestConnIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 112 {
		t.Errorf("a Conn has %d bytes", size)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	accept := func(*Conn) Receiver { return nil }
	good := Config{Addrs: []string{"tcp://127.0.0.1:0"}, Accept: accept}
	for field, spoil := range map[string]func(*Config){
		"UnixMode":        func(c *Config) { c.UnixMode = fs.ModeDir },
		"PrivateFiles":    func(c *Config) { c.Addrs, c.PrivateFiles = nil, true },
		"Accept":          func(c *Config) { c.Accept = nil },
		"Loops":           func(c *Config) { c.Loops = 257 },
		"MaxConns":        func(c *Config) { c.MaxConns = -1 },
		"FDReserve":       func(c *Config) { c.FDReserve = -1 },
		"Backlog":         func(c *Config) { c.Backlog = -1 },
		"QueueBytesMax":   func(c *Config) { c.QueueBytesMax = -1 },
		"ReadBufferBytes": func(c *Config) { c.ReadBufferBytes = 3 },
		"RestBytesMax":    func(c *Config) { c.RestBytesMax = -1 },
		"SendBufferBytes": func(c *Config) { c.SendBufferBytes = -1 },
		"WriteTimeout":    func(c *Config) { c.WriteTimeout = -1 },
		"FlushTimeout":    func(c *Config) { c.FlushTimeout = -1 },
		"DrainItems":      func(c *Config) { c.DrainItems = -1 },
		"DrainTime":       func(c *Config) { c.DrainTime = -1 },
		"FlushSlice":      func(c *Config) { c.FlushSlice = -1 },
		"FlushTime":       func(c *Config) { c.FlushTime = -1 },
		"MailboxMax":      func(c *Config) { c.MailboxMax = -1 },
		"KeepAlive":       func(c *Config) { c.KeepAlive = 10 * time.Hour },
		"TimerResolution": func(c *Config) { c.TimerResolution = time.Second },
		"Reject":          func(c *Config) { c.Reject = make([]byte, rejectBytesMax+1) },
	} {
		cfg := good
		spoil(&cfg)
		_, err := New(cfg)
		var ce *ConfigError
		if !errors.As(err, &ce) || ce.Field != field || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, addr := range []string{
		"", "3000", "udp://:1", "tcp://", "tcp://host", "tcp://:", "tcp://:1/path", "unix://", "tcp://:1?x=1", "tcp://[::1:1",
	} {
		cfg := good
		cfg.Addrs = []string{addr}
		if _, err := New(cfg); err == nil {
			t.Errorf("address %q was accepted", addr)
		}
	}
	cfg := good
	cfg.Addrs = []string{"tcp://:9999", "tcp://:9999"}
	if _, err := New(cfg); err == nil {
		t.Error("the same address twice was accepted")
	}
	if e, err := New(good); err != nil || e.Config().QueueBytesMax != DefaultQueueBytesMax || e.Config().MaxConns < 1 {
		t.Errorf("defaults: %v", err)
	}
}

func TestTooFewFiles(t *testing.T) {
	limit, err := openFilesMax()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Addrs: []string{"tcp://127.0.0.1:0"}, Accept: func(*Conn) Receiver { return nil }}
	for _, c := range []struct {
		conns, reserve int
		want           *FilesError // nil: enough
	}{
		{10, limit - 10, nil},
		{11, limit - 10, &FilesError{limit, limit + 1, 11}},
		{0, limit, &FilesError{limit, limit + 1, 0}},
		{1 << 30, 100, &FilesError{limit, 1<<30 + 100, 1 << 30}},
	} {
		cfg.MaxConns, cfg.FDReserve = c.conns, c.reserve
		_, err := New(cfg)
		var files *FilesError
		if errors.As(err, &files); !reflect.DeepEqual(files, c.want) {
			t.Errorf("%d connections, %d kept: %v, want %v", c.conns, c.reserve, err, c.want)
		}
	}
}

// A limit that is reached is a line in the log: one, however many connections are refused.
func TestFullIsLogged(t *testing.T) {
	var out logLines
	e := start(t, Config{Accept: newHub().accept, MaxConns: 1, Reject: []byte("busy\n"), Logger: slog.New(slog.NewTextHandler(&out, nil))})
	dial(t, e)
	eventually(t, "the first is in", func() bool { return e.Stats().Conns == 1 })
	for range 5 {
		c := dial(t, e)
		expect(t, c, "busy\n")
		expectEOF(t, c)
	}
	if text := out.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "maxConns=1") {
		t.Errorf("the log says\n%s", text)
	}
}

// One process with a hard limit of 20,000 files has to hold 19,000 connections.
func TestDefaultReserveIsSmall(t *testing.T) {
	cfg := Config{Addrs: []string{"tcp://:0"}, Accept: func(*Conn) Receiver { return nil }}.withDefaults()
	if err := cfg.validate(20_000); err != nil || cfg.MaxConns < 19_000 {
		t.Fatalf("MaxConns %d, %v", cfg.MaxConns, err)
	}
}

func TestEchoOfSplitBytes(t *testing.T) {
	h := newHub()
	// Lines; an incomplete one is left as rest.
	h.receive = func(p *peer, data []byte) (int, int) {
		n := strings.LastIndexByte(string(data), '\n') + 1
		if n > 0 {
			p.conn.Queue([]byte(string(data[:n])))
		}
		return n, 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 2})
	c := dial(t, e)
	const text = "one\ntwo\nthree four five\n\n"
	for cut := 1; cut < len(text); cut++ {
		write(t, c, text[:cut])
		time.Sleep(time.Millisecond) // mostly two reads; one is right as well
		write(t, c, text[cut:])
		expect(t, c, text)
	}
	p := h.next(t)
	want := netip.MustParseAddrPort(c.LocalAddr().String())
	on(t, p.conn.Loop(), func() {
		if p.conn.RemoteAddr() != want || p.conn.LocalAddr().String() != c.RemoteAddr().String() {
			t.Errorf("addresses %v, %v", p.conn.RemoteAddr(), p.conn.LocalAddr())
		}
		if !p.conn.Loop().OnLoop() {
			t.Error("OnLoop is false on the loop")
		}
	})
	if p.conn.Loop().OnLoop() {
		t.Error("OnLoop is true off the loop")
	}
	_ = c.Close()
	if err := recv(t, p.closed, "Closed"); !errors.Is(err, io.EOF) {
		t.Errorf("Closed(%v), want EOF", err)
	}
	on(t, p.conn.Loop(), func() {
		if got := p.conn.LocalAddr(); got.IsValid() {
			t.Errorf("a closed conn has local address %v", got)
		}
	})
}

func TestUnixSocketAndSeveralAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	h := newHub()
	h.receive = echo
	e := start(t, Config{Addrs: []string{"tcp://127.0.0.1:0", "unix://" + path}, Accept: h.accept, ReusePort: true})
	for _, addr := range e.Addrs() {
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		write(t, c, "hello")
		expect(t, c, "hello")
		if p := h.next(t); addr.Network() == "unix" && p.conn.RemoteAddr().IsValid() {
			t.Errorf("a unix peer has the address %v", p.conn.RemoteAddr())
		}
	}
	other, err := New(Config{Addrs: []string{"unix://" + path}, Accept: h.accept, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Start on a served path: %v", err)
	}
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, _ = New(Config{Addrs: []string{"unix://" + file}, Accept: h.accept, Logger: quiet()})
	if err := other.Start(); err == nil {
		t.Error("Start replaced a regular file")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the file is gone")
	}
}

func TestAddressInUseAndTwoEngines(t *testing.T) {
	h := newHub()
	h.receive = echo
	first := start(t, Config{Accept: h.accept})
	second := start(t, Config{Accept: h.accept}) // two engines in one process
	for _, e := range []*Engine{first, second} {
		c := dial(t, e)
		write(t, c, "x")
		expect(t, c, "x")
	}
	third, err := New(Config{Addrs: []string{"tcp://" + first.Addr().String()}, Accept: h.accept, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Start(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("Start on a taken port: %v", err)
	}
	<-third.Done()
	if err := third.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestStopWithOpenConnectionsAndRestart(t *testing.T) {
	h := newHub()
	h.receive = echo
	e := start(t, Config{Accept: h.accept, Loops: 2})
	var peers []*peer
	var conns []net.Conn
	for range 20 {
		c := dial(t, e)
		write(t, c, "x")
		expect(t, c, "x")
		conns, peers = append(conns, c), append(peers, h.next(t))
	}
	ran := make(chan struct{}, 1)
	peers[0].onClose = func(p *peer, _ error) { // a post from Closed to another loop is still run
		for _, l := range e.Loops() {
			if l != p.conn.Loop() {
				l.PostFunc(func() { ran <- struct{}{} })
			}
		}
	}
	stop(t, e)
	for i, p := range peers {
		if err := recv(t, p.closed, "Closed"); !errors.Is(err, ErrStopped) {
			t.Errorf("Closed(%v), want ErrStopped", err)
		}
		expectEOF(t, conns[i])
	}
	recv(t, ran, "task posted while stopping")
	if err := e.Err(); err != nil {
		t.Errorf("Err after Stop: %v", err)
	}
	<-e.Done()
	stop(t, e) // twice is fine
	if e.Loops()[0].TryPost(plainFunc(func() { t.Error("run after the end") })) {
		t.Error("TryPost succeeds after the end")
	}
	if err := e.Start(); err == nil {
		t.Error("an engine started twice")
	}
	again := start(t, Config{Addrs: []string{"tcp://" + e.Addr().String()}, Accept: h.accept})
	c := dial(t, again)
	write(t, c, "again")
	expect(t, c, "again")
}

func TestStopBeforeStart(t *testing.T) {
	e, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}, Accept: func(*Conn) Receiver { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, e)
	<-e.Done()
	if err := e.Start(); !errors.Is(err, ErrStopped) {
		t.Errorf("Start after Stop: %v", err)
	}
}

func TestReusePort(t *testing.T) {
	h := newHub()
	h.receive = echo
	e := start(t, Config{Accept: h.accept, Loops: 4, ReusePort: true})
	seen := map[*Loop]bool{}
	for range 200 {
		c := dial(t, e)
		write(t, c, "x")
		expect(t, c, "x")
		seen[h.next(t).conn.Loop()] = true
		_ = c.Close()
	}
	if len(seen) < 2 {
		t.Errorf("200 connections on %d of 4 loops", len(seen))
	}
}

// A loop that gnet has not shown runs posts and timers too, and goes over to gnet without losing any.
func TestLoopsWorkBeforeTheirFirstConnection(t *testing.T) {
	h := newHub()
	h.receive = echo
	e := start(t, Config{Accept: h.accept, Loops: 3, TimerResolution: time.Millisecond})
	for _, l := range e.Loops() {
		fired := make(chan struct{})
		tm := &funcTimer{fn: func() { close(fired) }}
		on(t, l, func() {
			if !l.OnLoop() {
				t.Error("OnLoop is false on a loop without connections")
			}
			tm.set(l, l.Now()+int64(5*time.Millisecond))
		})
		recv(t, fired, "timer")
	}
	// Posts go on while the loops change hands.
	const perLoop = 2000
	got := make([][]int, len(e.Loops()))
	done := make(chan struct{}, len(e.Loops()))
	go func() {
		for i := range perLoop {
			for n, l := range e.Loops() {
				l.PostFunc(func() {
					if got[n] = append(got[n], i); len(got[n]) == perLoop {
						done <- struct{}{}
					}
				})
			}
		}
	}()
	for range 2 * len(e.Loops()) {
		c := dial(t, e)
		write(t, c, "x")
		expect(t, c, "x")
	}
	for range e.Loops() {
		recv(t, done, "all posts")
	}
	for n := range got {
		for i, v := range got[n] {
			if i != v {
				t.Fatalf("loop %d: post %d ran as number %d", n, v, i)
			}
		}
	}
}

func TestRefuse(t *testing.T) {
	h := newHub()
	h.receive = echo
	e := start(t, Config{Accept: h.accept, Reject: []byte("busy\n")})
	before := dial(t, e)
	write(t, before, "x")
	expect(t, before, "x")
	e.Refuse(true)
	c := dial(t, e)
	write(t, c, "GET / HTTP/1.1\r\n\r\n") // unread input must not cost the client the answer
	expect(t, c, "busy\n")
	expectEOF(t, c)
	write(t, before, "y")
	expect(t, before, "y")
	e.Refuse(false)
	after := dial(t, e)
	write(t, after, "z")
	expect(t, after, "z")
	if s := e.Stats(); s.Rejected != 1 || s.Accepted != 2 || s.Conns != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAcceptMayRefuseOrPanic(t *testing.T) {
	e := start(t, Config{Accept: func(c *Conn) Receiver {
		if c.Loop().Engine().Stats().Panics == 0 {
			panic("on purpose")
		}
		c.Queue([]byte("no\n"))
		c.CloseAfterFlush()
		return nil
	}})
	expectEOF(t, dial(t, e))
	c := dial(t, e)
	expect(t, c, "no\n")
	expectEOF(t, c)
	_ = c.Close()
	eventually(t, "all connections are counted out", func() bool { return e.Stats().Conns == 0 })
}
