package server_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue"
)

// Done and Wait tell of the end of a server, whoever ends it, and whenever they are asked.
func TestWait(t *testing.T) {
	srv := start(t, server.Config{}, nil)
	result := make(chan error, 2)
	go func() { result <- srv.Wait() }()
	select {
	case <-srv.Done():
		t.Fatal("done at the start")
	default:
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, result); err != nil {
		t.Error(err)
	}
	<-srv.Done()
	if err := srv.Wait(); err != nil {
		t.Error(err)
	}
	unused, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { result <- unused.Wait() }()
	_ = unused.Close()
	if err := receive(t, result); err != nil {
		t.Error(err)
	}
	served, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { result <- served.ListenAndServe(ctx, "tcp://127.0.0.1:0") }()
	eventually(t, "it listens", func() bool { return served.Addr() != nil })
	_ = served.Close()
	if err := receive(t, result); err != nil {
		t.Error(err)
	}
}

// Plain Engine.IO, from any goroutine, on both kinds of messages.
func TestEngineSocket(t *testing.T) {
	opened := make(chan server.EngineSocket, 1)
	closed := make(chan server.Reason, 1)
	srv := start(t, server.Config{Engine: func(s *server.Session) server.EngineClient {
		e := server.NewEngineSocket(s)
		opened <- e
		return engineRecorder{closed}
	}}, nil)
	c := dialPath(t, srv, "/engine.io/", nil)
	e := receive(t, opened)
	if !e.Open() || e.Transport() != server.WebSocket || e.ID() == "" || e.Handshake().Query().Get("EIO") != "4" {
		t.Errorf("%v %v %q", e.Open(), e.Transport(), e.ID())
	}
	data := []byte{1, 2}
	if err := errors.Join(e.SendText("hellö"), e.SendBinary(data), e.SendText("")); err != nil {
		t.Fatal(err)
	}
	data[0] = 9 // it was copied
	c.expect("hellö", "binary 0102", "")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if err := e.SendText("x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for range 200 {
		c.expect("x")
	}
	if err := e.Retune(func(t *server.Tuning) { t.QueueBytes = 100_000 }); err != nil {
		t.Error(err)
	}
	_ = e.SendText("last")
	e.Close()
	c.expect("last")
	c.expectClosed()
	if r := receive(t, closed); r != server.ReasonForcedClose || e.Open() {
		t.Errorf("%v, open %v", r, e.Open())
	}
	if err := e.SendText("late"); !errors.Is(err, server.ErrClosed) {
		t.Errorf("late: %v", err)
	}
}

// A plain socket that compresses is open like any other.
func TestEngineSocketDeflates(t *testing.T) {
	opened := make(chan server.EngineSocket, 1)
	srv := start(t, server.Config{
		Path: "/socket.io/", PerMessageDeflate: server.PerMessageDeflate{Enabled: true},
		Engine: func(s *server.Session) server.EngineClient {
			e := server.NewEngineSocket(s)
			opened <- e
			return engineRecorder{make(chan server.Reason, 1)}
		},
	}, nil)
	sent := later(func() error {
		e := <-opened
		return errors.Join(e.SendText("in place of CONNECT"), e.SendText("hello"))
	})
	c := dialPacked(t, srv)
	if err := receive(t, sent); err != nil {
		t.Fatal(err)
	}
	c.want("4hello", false)
}

type engineRecorder struct{ closed chan server.Reason }

func (engineRecorder) Message([]byte, bool)     {}
func (e engineRecorder) Closed(r server.Reason) { e.closed <- r }

// quietHandler takes no debug records and counts what it is asked.
type quietHandler struct{ calls *atomic.Int64 }

func (h quietHandler) Enabled(_ context.Context, l slog.Level) bool {
	h.calls.Add(1)
	return l > slog.LevelInfo
}
func (h quietHandler) Handle(context.Context, slog.Record) error { h.calls.Add(1); return nil }
func (h quietHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h quietHandler) WithGroup(string) slog.Handler             { return h }

// With a logger that takes no debug records no connection, event, join or acknowledgement makes a call of it.
func TestLogsOff(t *testing.T) {
	var calls atomic.Int64
	log := logqueue.New(quietHandler{&calls}, logqueue.Limits{})
	srv := start(t, server.Config{Logger: slog.New(log)}, func(srv *server.Server) {
		withSync(srv)
		server.On1(srv.Of("/"), "join", func(_ context.Context, s *server.Socket, room string) error { return s.Join(room) })
		server.On0(srv.Of("/"), "ask", func(ctx context.Context, s *server.Socket) error {
			return s.EmitAck(ctx, "q", func(server.Reply, error) {})
		})
	})
	log.Flush(patience) // what it says at the start
	before := calls.Load()
	c, _ := joined(t, srv, "/")
	c.send(`21["join","a"]`)
	c.expect(`31[]`)
	c.send(`2["ask"]`)
	c.expect(`20["q"]`)
	c.send(`30[]`)
	if _, err := srv.Of("/").To("a").Emit("x"); err != nil {
		t.Fatal(err)
	}
	c.expect(`2["x"]`)
	c.sync()
	c.send("1")
	log.Flush(patience)
	if n := calls.Load() - before; n != 0 {
		t.Errorf("%d calls of the logger", n)
	}
}

// A chat without Socket.IO: what one says, all hear.
func ExampleNewEngineSocket() {
	var mu sync.Mutex
	all := map[server.EngineSocket]bool{}
	_, err := server.New(server.Config{Engine: func(s *server.Session) server.EngineClient {
		mu.Lock()
		defer mu.Unlock()
		e := server.NewEngineSocket(s)
		all[e] = true
		return speaker{
			heard: func(text string) {
				mu.Lock()
				defer mu.Unlock()
				for other := range all {
					_ = other.SendText(text)
				}
			},
			gone: func() {
				mu.Lock()
				defer mu.Unlock()
				delete(all, e)
			},
		}
	}})
	if err != nil {
		panic(err)
	}
}

// speaker is one client of the example. Its methods run on the event loop and must not block for long.
type speaker struct {
	heard func(text string)
	gone  func()
}

func (s speaker) Message(data []byte, _ bool) { s.heard(string(data)) }
func (s speaker) Closed(server.Reason)        { s.gone() }
