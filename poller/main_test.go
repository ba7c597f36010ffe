package poller

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(stormEnv); mode != "" {
		os.Exit(stormChild(mode))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")) // gnet keeps its pool a while
}

// deadline bounds every wait of the tests; nothing asserts how long something takes.
const deadline = 30 * time.Second

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// start runs an engine on a free port and stops it at the end of the test.
func start(t testing.TB, cfg Config) *Engine {
	t.Helper()
	if cfg.Addrs == nil {
		cfg.Addrs = []string{"tcp://127.0.0.1:0"}
	}
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	if cfg.Backlog == 0 {
		cfg.Backlog = 128
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, e) })
	return e
}

func stop(t testing.TB, e *Engine) {
	t.Helper()
	if err := stopNow(e); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func stopNow(e *Engine) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return e.Stop(ctx)
}

func dial(t testing.TB, e *Engine) net.Conn {
	t.Helper()
	addr := e.Addr()
	c, err := net.DialTimeout(addr.Network(), addr.String(), deadline)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(deadline))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// peer is a Receiver whose behaviour is given by functions; it consumes everything by default.
type peer struct {
	conn    *Conn
	receive func(p *peer, data []byte) (int, int)
	onClose func(p *peer, err error)
	closed  chan error
}

func (p *peer) Receive(data []byte) (int, int) {
	if p.receive == nil {
		return len(data), 0
	}
	return p.receive(p, data)
}

func (p *peer) Closed(err error) {
	if p.onClose != nil {
		p.onClose(p, err)
	}
	p.closed <- err // a second call would block: the channel holds one
}

// hub makes peers and hands them to the test.
type hub struct {
	receive func(p *peer, data []byte) (int, int)
	onClose func(p *peer, err error)
	onOpen  func(p *peer)
	opened  chan *peer
}

func newHub() *hub { return &hub{opened: make(chan *peer, 4096)} }

func (h *hub) accept(c *Conn) Receiver {
	p := &peer{conn: c, receive: h.receive, onClose: h.onClose, closed: make(chan error, 1)}
	if h.onOpen != nil {
		h.onOpen(p)
	}
	h.opened <- p
	return p
}

func (h *hub) next(t testing.TB) *peer {
	t.Helper()
	return recv(t, h.opened, "a connection")
}

func recv[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(deadline):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// on runs fn on the loop and waits for it.
func on(t testing.TB, l *Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	l.PostFunc(func() {
		defer close(done)
		fn()
	})
	recv(t, done, "turn of the loop")
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func echo(p *peer, data []byte) (int, int) {
	p.conn.Queue(bytes.Clone(data))
	return len(data), 0
}

func write(t testing.TB, c net.Conn, data string) {
	t.Helper()
	if _, err := c.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func expectEOF(t testing.TB, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read %d bytes, %v; want EOF", n, err)
	}
}

// logLines is a safe place for a log.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *logLines) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *logLines) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tally is a safe list for callbacks.
type tally[T any] struct {
	mu   sync.Mutex
	list []T
}

func (y *tally[T]) add(v T) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.list = append(y.list, v)
}

func (y *tally[T]) all() []T {
	y.mu.Lock()
	defer y.mu.Unlock()
	return append([]T(nil), y.list...)
}
