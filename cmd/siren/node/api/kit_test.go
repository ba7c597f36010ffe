package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/server"
)

func TestMain(m *testing.M) {
	before := goleak.IgnoreCurrent() // gnet's pools
	code := m.Run()
	if code == 0 {
		http.DefaultClient.CloseIdleConnections()
		// What fasthttp starts once for the process, and for clients that are not used any more.
		if err := goleak.Find(before, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*TCPDialer).tcpAddrsClean"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// patience is how long a test waits for what must come.
const patience = 15 * time.Second

// node is a server with the API on a real listener.
type node struct {
	t   testing.TB
	srv *server.Server
	api *API
	url string
	log *lines
	key string
}

// lines keeps the records of a log. Safe for concurrent use.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(b))
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "")
}

// start makes a node. change may change the settings before it starts.
func start(t testing.TB, keys []string, change func(cfg *Config)) *node {
	t.Helper()
	discard := slog.New(slog.DiscardHandler)
	srv, err := server.New(server.Config{Loops: 2, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	srv.Of("/").Use(func(_ context.Context, s *server.Socket) error {
		var auth struct{ User string }
		_ = s.Handshake().Auth(&auth)
		s.SetUser(auth.User)
		return nil
	})
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, srv: srv, log: &lines{}}
	cfg := Config{Server: srv, Node: "test", Version: "1.2.3", Logger: slog.New(slog.NewTextHandler(n.log, nil))}
	if change != nil {
		change(&cfg)
	}
	if n.api, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ops, err := admin.New(admin.Config{Address: "127.0.0.1:0", Keys: keys, Describe: Describe("1.2.3"), Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	ops.Handle(n.api.Routes()...)
	if err := ops.Listen(); err != nil {
		t.Fatal(err)
	}
	n.url = "http://" + ops.Addr().String()
	if len(keys) > 0 {
		n.key = keys[0]
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		n.api.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := ops.Close(ctx); err != nil {
			t.Error(err)
		}
		_ = srv.Close()
	})
	return n
}

// answered is an answer, taken apart.
type answered struct {
	status int
	header http.Header
	body   string
	value  map[string]any
}

// post makes a call and holds its answer to the description.
func (n *node) post(call, body string, header ...string) answered {
	n.t.Helper()
	return n.do(http.MethodPost, call, body, header...)
}

func (n *node) do(method, call, body string, header ...string) answered {
	n.t.Helper()
	req, err := http.NewRequest(method, n.url+"/api/"+call, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if n.key != "" {
		req.Header.Set("Authorization", "Bearer "+n.key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	a := answered{status: resp.StatusCode, header: resp.Header, body: string(text)}
	if err := json.Unmarshal(text, &a.value); err != nil {
		n.t.Fatalf("%s: %v in %s", call, err, text)
	}
	described(n.t, method, call, a)
	return a
}

// want makes a call and compares its answer.
func (n *node) want(call, body string, status int, answer string) answered {
	n.t.Helper()
	a := n.post(call, body)
	if a.status != status || answer != "" && a.body != answer {
		n.t.Errorf("%s %.200s: %d %s; want %d %s", call, body, a.status, a.body, status, answer)
	}
	return a
}

// refused makes a call that has to be refused with a code, and a field.
func (n *node) refused(call, body, code, field string) answered {
	n.t.Helper()
	a := n.post(call, body)
	got, _ := a.value["field"].(string)
	if a.value["code"] != code || got != field || a.status < 400 {
		n.t.Errorf("%s %.200s: %d %s; want %s of %q", call, body, a.status, a.body, code, field)
	}
	return a
}

// description is that of the API, with its schemas by method, path and status.
var description = sync.OnceValues(func() (*jsonschema.Compiler, map[string]any) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Describe("1.2.3")))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		panic(err)
	}
	return c, doc.(map[string]any)
})

var compiled sync.Map

// described fails the test unless the description allows the answer.
func described(t testing.TB, method, call string, a answered) {
	t.Helper()
	c, doc := description()
	media := strings.TrimSpace(a.header.Get("Content-Type"))
	at := fmt.Sprintf("/paths/%s/%s/responses/%d/content/%s/schema",
		escape("/api/"+call), strings.ToLower(method), a.status, escape(media))
	if _, ok := doc["paths"].(map[string]any)["/api/"+call]; !ok {
		at = "/components/schemas/Problem" // there is no such call
		if a.status < 400 {
			t.Errorf("%s is not described", call)
		}
	}
	s, ok := compiled.Load(at)
	if !ok {
		made, err := c.Compile("openapi.json#" + at)
		if err != nil {
			t.Fatalf("%s %s answered %d %s, which is not described: %v", method, call, a.status, media, err)
		}
		s, _ = compiled.LoadOrStore(at, made)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	if err == nil {
		err = s.(*jsonschema.Schema).Validate(value)
	}
	if err != nil {
		t.Errorf("%s %s answered %d %.300s: %v", method, call, a.status, a.body, err)
	}
}

// escape makes a token of a JSON pointer in a URI.
func escape(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// client is a WebSocket client of the Socket.IO server.
type client struct {
	t    testing.TB
	conn net.Conn
	from readWriter
	id   string
	in   chan string // closed with the connection
	wmu  sync.Mutex
}

type readWriter struct {
	io.Reader
	io.Writer
}

// connect connects a client as a user to a namespace.
func (n *node) connect(user string) *client {
	n.t.Helper()
	conn, ahead, _, err := ws.Dial(n.t.Context(), "ws://"+n.srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		n.t.Fatal(err)
	}
	c := &client{t: n.t, conn: conn, from: readWriter{conn, conn}, in: make(chan string, 1024)}
	if ahead != nil { // packets that came with the handshake
		c.from.Reader = ahead
	}
	done := make(chan struct{})
	go func() { defer close(done); c.read() }()
	n.t.Cleanup(func() { _ = conn.Close(); <-done })
	c.send(fmt.Sprintf(`40{"user":%q}`, user))
	hello := c.next()
	id, ok := strings.CutPrefix(hello, `40{"sid":"`)
	if !ok {
		n.t.Fatalf("not connected: %s", hello)
	}
	c.id = strings.TrimSuffix(id, `"}`)
	return c
}

// read takes what comes; binary messages as "binary HEX".
func (c *client) read() {
	defer close(c.in)
	for {
		data, op, err := wsutil.ReadServerData(c.from)
		switch {
		case err != nil:
			return
		case op == ws.OpBinary:
			c.in <- fmt.Sprintf("binary %x", data)
		case string(data) == "2":
			c.send("3")
		case data[0] != '0': // the handshake
			c.in <- string(data)
		}
	}
}

func (c *client) send(text string) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_ = wsutil.WriteClientText(c.conn, []byte(text))
}

func (c *client) next() string {
	c.t.Helper()
	select {
	case m, ok := <-c.in:
		if !ok {
			return "closed"
		}
		return m
	case <-time.After(patience):
		c.t.Fatal("nothing came")
	}
	panic("unreachable")
}

func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if m := c.next(); m != w {
			c.t.Errorf("got %s, want %s", m, w)
		}
	}
}

func (c *client) binary(data []byte) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_ = wsutil.WriteClientBinary(c.conn, data)
}
