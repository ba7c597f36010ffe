package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue/logtest"
)

func TestConfigErrors(t *testing.T) {
	for field, cfg := range map[string]server.Config{
		"Path":           {Path: "/"},
		"Transports":     {Transports: []server.Transport{7}},
		"PingInterval":   {PingInterval: -1},
		"ConnectTimeout": {ConnectTimeout: -1},
		"AckTimeout":     {AckTimeout: -1},
		"WriteTimeout":   {WriteTimeout: -1},
		"MaxPayload":     {MaxPayload: -1},
		"MaxResponse":    {MaxResponse: -1},
		"MaxConns":       {MaxConns: -1},
		"Backlog":        {Backlog: 1 << 16},
		"MaxNamespaces":  {MaxNamespaces: -1},
		"MaxRooms":       {MaxRooms: -1},
		"MaxPendingAcks": {MaxPendingAcks: -1},
		"MaxAttachments": {MaxAttachments: -1},
		"MaxRoomBytes":   {MaxRoomBytes: -1},
		"MaxAuthBytes":   {MaxAuthBytes: -1},

		"AttachmentTimeout": {AttachmentTimeout: -1},

		"Queue.MaxBytes":      {Queue: server.Queue{MaxBytes: -1}},
		"Queue.OnFull":        {Queue: server.Queue{OnFull: 9}},
		"Inbox.MaxEvents":     {Inbox: server.Inbox{MaxEvents: -1}},
		"Inbox.MaxBytes":      {Inbox: server.Inbox{MaxBytes: 10}},
		"CORS.Origins":        {CORS: server.CORS{Origins: []string{"*", "http://a"}}},
		"Loops":               {Loops: 257},
		"Cookie":              {Cookie: server.Cookie{Name: "a b"}},
		"Cookie has settings": {Cookie: server.Cookie{Secure: true}},
		"Recovery has settings but no MaxDisconnect": {Recovery: server.Recovery{MaxPackets: 100}},
		"Recovery has settings":                      {Recovery: server.Recovery{RunMiddlewares: true}},
	} {
		t.Run(field, func(t *testing.T) {
			srv, err := server.New(cfg)
			if err == nil || srv != nil || !strings.HasPrefix(err.Error(), "server: ") || !strings.Contains(err.Error(), "Config."+field) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := server.New(server.Config{}); err != nil {
		t.Error("the zero value is usable, but", err)
	}
}

// Listen takes addresses with and without a scheme, Addrs has all of them with their real ports, and the log too.
func TestAddrs(t *testing.T) {
	log := &logBuffer{}
	srv, err := server.New(server.Config{Loops: 1, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if srv.Addrs() != nil {
		t.Errorf("%v before Listen", srv.Addrs())
	}
	path := filepath.Join(t.TempDir(), "s")
	if err := srv.Listen("127.0.0.1:0", "tcp://127.0.0.1:0", ":0", "unix://"+path); err != nil {
		t.Fatal(err)
	}
	addrs := srv.Addrs()
	if len(addrs) != 4 || addrs[3].String() != path || srv.Addr() != addrs[0] {
		t.Fatalf("%v, %v", addrs, srv.Addr())
	}
	var names []string
	for _, a := range addrs {
		names = append(names, a.String())
		network, target := a.Network(), a.String()
		if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
			target = fmt.Sprintf("127.0.0.1:%d", tcp.Port)
		}
		if c, err := net.Dial(network, target); err != nil {
			t.Error(err)
		} else {
			_ = c.Close()
		}
	}
	_ = srv.Close() // which waits for the log
	if want := fmt.Sprintf("node.addr=%q", strings.Join(names, ", ")); !strings.Contains(log.String(), want) {
		t.Errorf("no %s in\n%s", want, log.String())
	}
}

// The error of Listen names the one address that could not be opened, and no other one is open.
func TestListenError(t *testing.T) {
	busy := start(t, server.Config{}, nil)
	srv, err := server.New(server.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	taken := "tcp://" + busy.Addr().String()
	path := filepath.Join(t.TempDir(), "s")
	err = srv.Listen("unix://"+path, taken, ":0")
	var le *server.ListenError
	if !errors.As(err, &le) || le.Addr != taken || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v", err)
	}
	if want := "server: cannot listen on " + taken + ": bind: address already in use"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		t.Error("the first address is open still")
	}
	if err := srv.Listen("unix://" + path); err != nil {
		t.Errorf("after an error: %v", err)
	}
}

func TestListenAndClose(t *testing.T) {
	busy := start(t, server.Config{}, nil)
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if srv.Addr() != nil || srv.Stats().Handlers != 0 {
		t.Error("something runs before Listen")
	}
	if n, err := srv.Emit("nobody"); n != 0 || err != nil {
		t.Error(n, err)
	}
	for _, addr := range []string{"tcp://" + busy.Addr().String(), "what://ever", ""} {
		if err := srv.Listen(addr); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%q: %v", addr, err)
		}
		if srv.Addr() != nil {
			t.Error("has an address after an error")
		}
	}
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal("not after an error either:", err)
	}
	if err := srv.Listen("tcp://127.0.0.1:0"); err == nil {
		t.Error("listens twice")
	}
	joined(t, srv, "/")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
			if _, err := net.Dial("tcp", srv.Addr().String()); err == nil {
				t.Error("Close has returned and connections are accepted")
			}
		})
	}
	wg.Wait()
	if err := srv.Listen("tcp://127.0.0.1:0"); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
	unused, _ := server.New(server.Config{})
	if err := unused.Close(); err != nil {
		t.Error(err)
	}
	if err := unused.ListenAndServe(context.Background(), "tcp://127.0.0.1:0"); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
}

func TestListenAndServe(t *testing.T) {
	for _, by := range []string{"context", "Close"} {
		t.Run(by, func(t *testing.T) {
			srv, err := server.New(server.Config{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- srv.ListenAndServe(ctx, "tcp://127.0.0.1:0") }()
			eventually(t, "it listens", func() bool { return srv.Addr() != nil })
			c, _ := joined(t, srv, "/")
			if by == "context" {
				cancel()
			} else if err := srv.Close(); err != nil {
				t.Error(err)
			}
			if err := receive(t, ended); err != nil {
				t.Error(err)
			}
			c.expectClosed()
		})
	}
}

// Close, called by a handler, does not wait for that handler for ever.
func TestCloseInHandler(t *testing.T) {
	t.Parallel()
	done := make(chan error, 1)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		server.On0(srv.Of("/"), "stop", func(_ context.Context, s *server.Socket) error {
			done <- s.Server().Close()
			return nil
		})
	})
	c, _ := joined(t, srv, "/")
	c.send(`2["stop"]`)
	c.expectClosed()
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
}

// Three groups; at Info the life of the server with its versions, at Debug that of connections; off costs
// nothing (see TestAllocs).
func TestLogs(t *testing.T) {
	logs := &logBuffer{}
	srv := start(t, server.Config{Logger: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))},
		func(srv *server.Server) {
			withSync(srv)
			srv.Of("a,b")
			srv.Of("/").On("connection", func(context.Context, *server.Message) {})
			server.On1(srv.Of("/"), "join", func(_ context.Context, s *server.Socket, room string) error { return s.Join(room) })
			server.On0(srv.Of("/"), "ask", func(ctx context.Context, s *server.Socket) error {
				return s.EmitAck(ctx, "q", func(server.Reply, error) {})
			})
			server.On0(srv.Of("/"), "panic", func(context.Context, *server.Socket) error { panic("oh no") })
		})
	c, _ := joined(t, srv, "/")
	c.send(`21["join","lobby"]`)
	c.expect(`31[]`)
	c.send(`2["ask"]`)
	c.expect(`20["q"]`)
	c.send(`30["a"]`)
	c.send(`22["panic"]`)
	c.expect(`32[{"error":"internal error"}]`)
	c.sync()
	c.send("x")
	c.expectClosed()
	_ = srv.Close()
	text := logs.String()
	for _, want := range []string{
		`level=INFO msg=listening node.version=` + server.Version + ` node.socketio=5 node.engineio=4`,
		`level=INFO msg=closed`,
		`level=ERROR msg="no client can join a namespace of this name" sio.ns=/a,b`,
		`level=WARN msg="a handler for an event that clients send is named \"connection\"; OnConnect runs when they connect" sio.ns=/`,
		`level=DEBUG msg=open eio.addr=127.0.0.1 eio.transport=websocket`,
		`level=DEBUG msg=closed eio.addr=127.0.0.1 eio.transport=websocket eio.reason="forced close"`,
		`level=DEBUG msg=connected sio.ns=/ sio.id=`,
		`level=DEBUG msg=disconnected sio.ns=/ sio.id=`,
		`sio.event=join sio.bytes=7 sio.attachments=0 sio.ack=true sio.handled=true`,
		`sio.room=lobby sio.joins=true`,
		`sio.event=join sio.ack=1`,
		`msg=acknowledgement sio.ns=/ sio.id=`, `sio.ack=0 sio.bytes=3 sio.attachments=0`,
		`level=DEBUG msg=received eio.addr=127.0.0.1 eio.transport=websocket eio.packet=message eio.bytes=18`,
		`level=DEBUG msg=sent eio.addr=127.0.0.1 eio.transport=websocket eio.packet=message`,
		`level=ERROR msg="handler panicked" sio.ns=/ sio.id=`,
		`level=DEBUG msg="invalid packet" sio.addr=127.0.0.1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nis not in\n%s", want, text)
		}
	}
}

// logBuffer collects a log.
type logBuffer = logtest.Buffer
