package poller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test's child process has 4 loops under a limit of 128 open files, of which each loop keeps 28.
const (
	privateMode  = "private"
	privateFiles = 128
	privateLoops = 4
	privateKept  = 28
	privateRoom  = privateLoops * (privateFiles - privateKept)
)

func init() { children[privateMode] = privateChild }

// needPrivateFiles skips where a thread may not leave the table of its process.
func needPrivateFiles(t *testing.T) {
	t.Helper()
	refused := make(chan error)
	go func() { // the thread ends with the goroutine
		if err := lockThread(); err != nil {
			refused <- err
			return
		}
		refused <- unix.Unshare(unix.CLONE_FILES)
	}()
	if err := recv(t, refused, "answer of unshare"); err != nil {
		t.Skipf("unshare(CLONE_FILES) is not permitted here: %v", err)
	}
}

// broadcaster is the child's application: a connection that says "all" has every connection get the same frame, from
// the loop it is on.
type broadcaster struct {
	engine *Engine
	conns  []map[*Conn]bool // by loop, loop-owned
}

func (b *broadcaster) accept(c *Conn) Receiver {
	b.conns[c.Loop().Index()][c] = true
	c.Queue([]byte("hi\n"))
	return &broadcastConn{b, c}
}

type broadcastConn struct {
	*broadcaster
	conn *Conn
}

func (b *broadcastConn) Receive(data []byte) (int, int) {
	switch string(data) {
	case "all\n":
		for i, l := range b.engine.Loops() {
			l.PostFunc(func() {
				for c := range b.conns[i] {
					c.Queue([]byte("all\n"))
				}
			})
		}
	case "timer\n": // the runtime is told of timers by a file of its own
		time.AfterFunc(time.Millisecond, func() { b.conn.Loop().PostFunc(func() { b.conn.Queue([]byte("rung\n")) }) })
	default:
		b.conn.Close()
	}
	return len(data), 0
}

func (b *broadcastConn) Closed(error) { delete(b.conns[b.conn.Loop().Index()], b.conn) }

// privateChild serves until its standard input ends and reports what is left.
func privateChild() int {
	fail := func(args ...any) int {
		fmt.Println(append([]any{"error"}, args...)...)
		return 1
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: privateFiles, Max: privateFiles}); err != nil {
		return fail(err)
	}
	admin, err := net.Listen("tcp", "127.0.0.1:0") // somebody else's socket
	if err != nil {
		return fail(err)
	}
	b := &broadcaster{}
	for range privateLoops {
		b.conns = append(b.conns, map[*Conn]bool{})
	}
	e, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}, Loops: privateLoops, PrivateFiles: true, FDReserve: privateKept,
		Accept: b.accept, Reject: []byte("no\n"), Logger: quiet()})
	if err != nil {
		return fail(err)
	}
	b.engine = e
	before, _ := openFiles()
	if err := e.Start(); err != nil {
		return fail(err)
	}
	if err := admin.Close(); err != nil {
		return fail(err)
	}
	if ln, err := net.Listen("tcp", admin.Addr().String()); err != nil {
		return fail("a socket of the process is open on the loops:", err)
	} else {
		_ = ln.Close()
	}
	other, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}, FDReserve: privateKept, Accept: b.accept, Logger: quiet()})
	if err == nil {
		err = other.Start()
	}
	if !errors.Is(err, ErrPrivateFiles) {
		return fail("another engine:", err)
	}
	fmt.Println("addr", e.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	stats := e.Stats()
	if err := e.Stop(context.Background()); err != nil || e.Err() != nil {
		return fail("stop", err, e.Err())
	}
	if ln, err := net.Listen("tcp", e.Addr().String()); err != nil {
		return fail("the port is not free:", err)
	} else {
		_ = ln.Close()
	}
	// Two of these are the event file and the epoll set that Go's runtime may have made meanwhile.
	after, _ := openFiles()
	fmt.Printf("conns %d panics %d leaked %v\n", stats.Conns, stats.Panics, len(after) > len(before)+1)
	return 0
}

// holdConns dials until want connections are held. Those that find the loop full which the kernel has picked try again.
func holdConns(t *testing.T, addr string, want int) (held []net.Conn, refused int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var full, busy atomic.Int64
	for range 8 {
		wg.Go(func() {
			for full.Load() < int64(want) && busy.Load() < 1000*int64(want) {
				c, err := net.DialTimeout("tcp", addr, deadline)
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(deadline))
				var b [3]byte
				if _, err := io.ReadFull(c, b[:]); err != nil || string(b[:]) != "hi\n" {
					busy.Add(1)
					_ = c.Close()
					continue
				}
				mu.Lock()
				held = append(held, c)
				mu.Unlock()
				full.Add(1)
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, c := range held {
			_ = c.Close()
		}
	})
	return held, int(busy.Load())
}

// With tables of their own, loops hold together more connections than one process may have files, and not one more than
// each has room for; all get a broadcast, from any loop to any loop; they close cleanly, and nothing is left behind.
func TestPrivateFilesHoldMoreThanTheLimit(t *testing.T) {
	needPrivateFiles(t)
	s := startStorm(t, privateMode)
	held, refused := holdConns(t, s.addr, privateRoom)
	if len(held) < privateRoom {
		t.Fatalf("holds %d of %d", len(held), privateRoom)
	}
	t.Logf("%d connections with %d files for each of %d loops; %d refused", len(held), privateFiles, privateLoops, refused)

	const rounds = 16 // most probably from every loop
	for i := range rounds {
		write(t, held[i*len(held)/rounds], "all\n")
	}
	for _, c := range held {
		expect(t, c, strings.Repeat("all\n", rounds))
	}
	for _, c := range held[:rounds] {
		write(t, c, "timer\n")
		expect(t, c, "rung\n")
	}
	// What the server closes is closed in every table.
	for _, c := range held[:rounds] {
		write(t, c, "bye\n")
		expectEOF(t, c)
	}
	more, _ := holdConns(t, s.addr, rounds/2)
	if len(more) < rounds/2 {
		t.Fatal("the room of closed connections is not free again")
	}
	// The child stops with the others open.
	report, err := s.finish(t)
	want := fmt.Sprintf("conns %d panics 0 leaked false", len(held)-rounds+len(more))
	if err != nil || report != want {
		t.Fatalf("child says %q, %v; want %q", report, err, want)
	}
	for _, c := range held[rounds:] {
		expectEOF(t, c)
	}
}

// A client that comes before Start has reached its loop is served, and its connection is not left in the common table.
// One that has met the look whether the address is free is reset.
func TestPrivateFilesServeEarlyClients(t *testing.T) {
	needPrivateFiles(t)
	served := 0
	for range 20 {
		h := newHub()
		h.receive = func(p *peer, data []byte) (int, int) { p.conn.CloseAfterFlush(); return len(data), 0 }
		e, err := New(Config{Addrs: []string{freeAddr(t)}, Loops: 8, PrivateFiles: true, Accept: h.accept, Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		addr := strings.TrimPrefix(e.config.Addrs[0], "tcp://")
		quit := make(chan struct{})
		var early []net.Conn
		var dialing sync.WaitGroup
		dialing.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				if c, err := net.DialTimeout("tcp", addr, deadline); err == nil {
					early = append(early, c)
				}
			}
		})
		err = e.Start()
		close(quit)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, e) })
		dialing.Wait()
		served += int(e.Stats().Accepted)
		for _, c := range early {
			_ = c.SetDeadline(time.Now().Add(deadline))
			_, _ = c.Write([]byte("x"))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
				t.Fatalf("not closed: %v", err)
			}
			_ = c.Close()
		}
		stop(t, e)
	}
	t.Logf("%d clients", served)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return "tcp://" + ln.Addr().String()
}

// What cannot work with tables of their own is refused.
func TestPrivateFilesConfig(t *testing.T) {
	accept := newHub().accept
	limit, err := openFilesMax()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cfg   Config
		field string // "": accepted
	}{
		"unix":     {Config{Addrs: []string{"unix:///nowhere/x.sock"}}, "PrivateFiles"},
		"mixed":    {Config{Addrs: []string{"tcp://127.0.0.1:0", "unix:///nowhere/x.sock"}}, "PrivateFiles"},
		"all":      {Config{Loops: 3, FDReserve: limit - 10, MaxConns: 30}, ""},
		"too many": {Config{Loops: 3, FDReserve: limit - 10, MaxConns: 31}, "files"},
		"no room":  {Config{FDReserve: limit}, "files"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.PrivateFiles, tc.cfg.Accept, tc.cfg.Logger = true, accept, quiet()
			if tc.cfg.Addrs == nil {
				tc.cfg.Addrs = []string{"tcp://127.0.0.1:0"}
			}
			e, err := New(tc.cfg)
			var bad *ConfigError
			var files *FilesError
			switch {
			case tc.field == "" && (err != nil || !e.Config().ReusePort):
				t.Errorf("got %v", err)
			case tc.field == "files":
				if !errors.As(err, &files) || files.Limit != limit || files.Need != limit+1 {
					t.Errorf("got %v", err)
				}
			case tc.field != "" && (!errors.As(err, &bad) || bad.Field != tc.field):
				t.Errorf("got %v", err)
			}
		})
	}
}

// A failing Start leaves the way free for other engines, and its port.
func TestPrivateFilesStartFails(t *testing.T) {
	needPrivateFiles(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := Config{Addrs: []string{"tcp://" + ln.Addr().String()}, Loops: 2, PrivateFiles: true, Accept: newHub().accept, Logger: quiet()}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); !errors.Is(err, unix.EADDRINUSE) {
		t.Fatalf("got %v", err)
	}
	h := newHub()
	h.receive = echo
	c := dial(t, start(t, Config{Accept: h.accept}))
	write(t, c, "on")
	expect(t, c, "on")
}

// The process's first thread never ends, so no loop may have it.
func TestLockThreadLeavesTheFirstOne(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if err := lockThread(); err != nil || onFirstThread() {
				t.Errorf("on the first thread: %v, %v", onFirstThread(), err)
			}
		})
	}
	wg.Wait()
}

func TestParsePolled(t *testing.T) {
	info := []byte("pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\n" +
		"tfd:        6 events:       19 data:                6  pos:0 ino:421 sdev:f\n" +
		"tfd:       12 events:       19 data:                c  pos:0 ino:2a0 sdev:8\ntfd: x\ntfd:\n")
	for _, tc := range []struct {
		name  string
		fd    int
		inode uint64
		want  bool
	}{
		{"has it", 12, 0x2a0, true},
		{"another file of that number", 12, 0x421, false},
		{"the file under another number", 13, 0x2a0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			polled, ok := parsePolled(info, tc.fd, tc.inode)
			if ok != tc.want || len(polled) != 2 || !polled[6] || !polled[12] {
				t.Errorf("got %v, %v", polled, ok)
			}
		})
	}
	if _, ok := parsePolled(bytes.Repeat([]byte("x"), 1<<20), 1, 1); ok {
		t.Error("found in nothing")
	}
}
