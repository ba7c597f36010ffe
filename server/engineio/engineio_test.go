package engineio_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/server/engineio"
	"github.com/seed58c87869/siren/session"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")) // gnet keeps its pool a while
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

func start(t *testing.T, cfg engineio.Config) *engineio.Server {
	t.Helper()
	cfg.Loops = 2
	srv, err := engineio.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return srv
}

// client is a WebSocket client that has taken its open packet.
type client struct {
	t    *testing.T
	conn net.Conn
	in   io.ReadWriter
}

func dial(t *testing.T, url string, d ws.Dialer) client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, rest, _, err := d.Dial(ctx, url+"/engine.io/?EIO=4&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	c := client{t, conn, conn}
	if rest != nil { // what came with the answer
		c.in = struct {
			io.Reader
			io.Writer
		}{rest, conn}
	}
	if text, _ := c.next(); !strings.HasPrefix(text, "0{") {
		t.Fatalf("%q in place of the open packet", text)
	}
	return c
}

func (c client) next() (text string, binary bool) {
	c.t.Helper()
	data, op, err := wsutil.ReadServerData(c.in)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data), op == ws.OpBinary
}

func (c client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got, _ := c.next(); got != w {
			c.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

func (c client) expectClosed() {
	c.t.Helper()
	for {
		if data, _, err := wsutil.ReadServerData(c.in); err != nil {
			return
		} else if string(data) != "1" {
			c.t.Fatalf("got %q, want the end", data)
		}
	}
}

func url(srv *engineio.Server) string { return "ws://" + srv.Addrs()[0].String() }

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// echo sends back what comes, on its event loop.
type echo struct{ s *engineio.Session }

func (e echo) Message(data []byte, _ bool) { e.s.Send(eio.NewMessage(data), false) }
func (echo) Closed(engineio.Reason)        {}

// A session is served by the client that Open returns; without one it ends.
func TestOpen(t *testing.T) {
	srv := start(t, engineio.Config{Open: func(s engineio.Socket) engineio.Client {
		if s.Handshake().Header("X-Nobody") != "" {
			return nil
		}
		return echo{s.Session()}
	}})
	c := dial(t, url(srv), ws.Dialer{})
	if err := wsutil.WriteClientText(c.conn, []byte("4hello")); err != nil {
		t.Fatal(err)
	}
	c.expect("4hello")
	c = dial(t, url(srv), ws.Dialer{Header: ws.HandshakeHeaderHTTP(http.Header{"X-Nobody": {"1"}})})
	c.expectClosed()
	if n := srv.Stats().Opened; n != 2 {
		t.Errorf("%d sessions", n)
	}
}

// recorder tells of the end of its session.
type recorder struct{ closed chan engineio.Reason }

func (recorder) Message([]byte, bool)       {}
func (r recorder) Closed(e engineio.Reason) { r.closed <- e }

// A Socket is for any goroutine, and sends both kinds of messages.
func TestSocket(t *testing.T) {
	opened, closed := make(chan engineio.Socket, 1), make(chan engineio.Reason, 1)
	srv := start(t, engineio.Config{Open: func(s engineio.Socket) engineio.Client {
		opened <- s
		return recorder{closed}
	}})
	c := dial(t, url(srv), ws.Dialer{})
	s := receive(t, opened)
	if !s.Open() || s.Transport() != session.WebSocket || s.ID() == "" || s.Handshake().Query().Get("EIO") != "4" {
		t.Errorf("%v %v %q", s.Open(), s.Transport(), s.ID())
	}
	data := []byte{1, 2}
	if err := errors.Join(s.SendText("hellö"), s.SendBinary(data), s.SendText("")); err != nil {
		t.Fatal(err)
	}
	data[0] = 9 // it was copied
	c.expect("4hellö")
	if got, binary := c.next(); got != "\x01\x02" || !binary {
		t.Errorf("%q, binary %v", got, binary)
	}
	c.expect("4")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if err := s.SendText("x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for range 200 {
		c.expect("4x")
	}
	if err := s.Retune(func(t *session.Tuning) { t.QueueBytes = 100_000 }); err != nil {
		t.Error(err)
	}
	_ = s.SendText("last")
	s.Close()
	c.expect("4last")
	c.expectClosed()
	if r := receive(t, closed); r != session.ReasonForcedClose || s.Open() {
		t.Errorf("%v, open %v", r, s.Open())
	}
	if err := s.SendText("late"); !errors.Is(err, engineio.ErrClosed) {
		t.Errorf("late: %v", err)
	}
}

// What Open sends is the first message, also when the engine compresses.
func TestOpenSends(t *testing.T) {
	srv := start(t, engineio.Config{
		Session: session.Config{PerMessageDeflate: session.PerMessageDeflate{Enabled: true}},
		Open: func(s engineio.Socket) engineio.Client {
			if err := errors.Join(s.SendText("first"), s.SendText("second")); err != nil {
				t.Error(err)
			}
			return echo{s.Session()}
		},
	})
	dial(t, url(srv), ws.Dialer{}).expect("4first", "4second")
}

// It is a handler of a program's own HTTP server too, and ends with ListenAndServe's context or with Close.
func TestHandlerAndEnd(t *testing.T) {
	srv, err := engineio.New(engineio.Config{Open: func(s engineio.Socket) engineio.Client { return echo{s.Session()} }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- srv.ListenAndServe(ctx) }()
	program := httptest.NewServer(srv.Handler())
	defer program.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		resp, err := http.Get(program.URL + "/engine.io/?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(resp.Status)
		}
	}
	c := dial(t, "ws"+strings.TrimPrefix(program.URL, "http"), ws.Dialer{})
	cancel()
	c.expectClosed()
	err = receive(t, result)
	var left *engineio.CloseError
	if err != nil && !errors.As(err, &left) { // the polling client has gone without a word
		t.Error(err)
	}
	if again := srv.Close(); again != err || srv.Wait() != err {
		t.Errorf("%v, then %v", err, again)
	}
	if err := srv.Listen(); !errors.Is(err, engineio.ErrClosed) {
		t.Errorf("listens after its end: %v", err)
	}
}

// Settings that make no sense are errors that name them.
func TestConfig(t *testing.T) {
	open := func(engineio.Socket) engineio.Client { return nil }
	for want, cfg := range map[string]engineio.Config{
		"Config.Open":         {},
		"Config.Loops":        {Open: open, Loops: 300},
		"Config.MaxConns":     {Open: open, MaxConns: -1},
		"Config.CloseTimeout": {Open: open, CloseTimeout: -1},
		"Config.MemoryBudget": {Open: open, MemoryBudget: 1},
		"Config.Session":      {Open: open, Session: session.Config{PingInterval: -1}},
		"HealthPath":          {Open: open, Session: session.Config{HealthPath: "/healthz"}},
	} {
		if _, err := engineio.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A drain ends the sessions behind what is queued for them, and refuses new ones.
func TestDrain(t *testing.T) {
	opened, closed := make(chan engineio.Socket, 1), make(chan engineio.Reason, 1)
	srv := start(t, engineio.Config{Open: func(s engineio.Socket) engineio.Client {
		opened <- s
		return recorder{closed}
	}})
	c := dial(t, url(srv), ws.Dialer{})
	if err := receive(t, opened).SendText("last"); err != nil {
		t.Fatal(err)
	}
	r, err := srv.Drain(t.Context(), engineio.DrainPlan{})
	if want := (engineio.DrainReport{Ended: 1}); err != nil || r != want || !srv.Draining() {
		t.Errorf("%+v, %v", r, err)
	}
	c.expect("4last")
	c.expectClosed()
	if got := receive(t, closed); got != session.ReasonDraining {
		t.Error(got)
	}
	if _, err := srv.Drain(t.Context(), engineio.DrainPlan{Spread: -1}); err == nil {
		t.Error("an invalid plan")
	}
}
