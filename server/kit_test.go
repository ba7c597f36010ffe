package server_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/server"
)

// patience is how long a test waits for what must come. It is no measurement: only failures take that long.
const patience = 10 * time.Second

// start makes a server, lets setup register what it needs, and listens. The test's end closes it.
func start(t testing.TB, cfg server.Config, setup func(srv *server.Server)) *server.Server {
	t.Helper()
	if cfg.Loops == 0 {
		cfg.Loops = 2
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if setup != nil {
		setup(srv)
	}
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return srv
}

// eventually polls until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// receive takes one value that must come.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		if !ok {
			t.Fatal("channel closed")
		}
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// message is one Engine.IO message: a Socket.IO packet's text, or an attachment.
type message struct {
	text   string
	binary []byte
}

func (m message) String() string {
	if m.binary != nil {
		return fmt.Sprintf("binary %x", m.binary)
	}
	return m.text
}

// client is a WebSocket client that knows the protocol's framing and nothing else: tests write and compare packets.
type client struct {
	t    testing.TB
	conn net.Conn
	in   chan message // closed with the connection
	open string       // the open packet; to be read behind a message
	wmu  sync.Mutex
	done chan struct{}
	// left is closed by close: the reader may wait for room in in, which nobody makes any more.
	left  chan struct{}
	leave sync.Once
	// pings are those that the server has sent.
	pings atomic.Int64
}

// dial opens a session. The test's end closes it.
func dial(t testing.TB, srv *server.Server) *client {
	t.Helper()
	return dialPath(t, srv, "/socket.io/", nil)
}

func dialPath(t testing.TB, srv *server.Server, path string, header http.Header) *client {
	t.Helper()
	return dialTarget(t, srv, path+"?EIO=4&transport=websocket", header)
}

func dialTarget(t testing.TB, srv *server.Server, target string, header http.Header) *client {
	t.Helper()
	return dialURL(t, "ws://"+srv.Addr().String()+target, header)
}

func dialURL(t testing.TB, url string, header http.Header) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header)}
	conn, br, _, err := d.Dial(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	var r io.Reader = conn
	if br != nil {
		r = br
	}
	go c.read(struct {
		io.Reader
		io.Writer
	}{r, lockedWriter{c}})
	t.Cleanup(c.close)
	return c
}

func newClient(t testing.TB, conn net.Conn) *client {
	return &client{t: t, conn: conn, in: make(chan message, 1<<14), done: make(chan struct{}), left: make(chan struct{})}
}

type lockedWriter struct{ c *client }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.c.wmu.Lock()
	defer w.c.wmu.Unlock()
	return w.c.conn.Write(p)
}

// read hands messages over until the end, behind which it closes the connection, as clients do.
func (c *client) read(rw io.ReadWriter) {
	defer close(c.done)
	defer func() { _ = c.conn.Close() }()
	defer close(c.in)
	for {
		data, op, err := wsutil.ReadServerData(rw)
		if err != nil {
			return
		}
		switch {
		case op == ws.OpBinary:
			c.put(message{binary: append([]byte{}, data...)})
		case len(data) > 0 && data[0] == '0':
			c.open = string(data)
		case len(data) > 0 && data[0] == '4':
			c.put(message{text: string(data[1:])})
		case string(data) == "2":
			c.pings.Add(1)
			c.raw("3")
		}
	}
}

// put hands a message to the test, unless it has left.
func (c *client) put(m message) {
	select {
	case c.in <- m:
	case <-c.left:
	}
}

// close drops the connection as a network failure would.
func (c *client) close() {
	_ = c.conn.Close()
	c.leave.Do(func() { close(c.left) })
	<-c.done
}

func (c *client) frame(op ws.OpCode, data []byte) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_ = wsutil.WriteClientMessage(c.conn, op, data)
}

// raw sends an Engine.IO packet.
func (c *client) raw(packet string) { c.frame(ws.OpText, []byte(packet)) }

// send sends Socket.IO packets.
func (c *client) send(packets ...string) {
	for _, p := range packets {
		c.raw("4" + p)
	}
}

func (c *client) sendBinary(b []byte) { c.frame(ws.OpBinary, b) }

// next returns the next message.
func (c *client) next() message {
	c.t.Helper()
	select {
	case m, ok := <-c.in:
		if !ok {
			c.t.Fatal("connection closed")
		}
		return m
	case <-time.After(patience):
		c.t.Fatal("nothing came")
	}
	panic("unreachable")
}

// expect compares the next messages.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if m := c.next(); m.String() != w {
			c.t.Fatalf("got %s, want %s", m, w)
		}
	}
}

// expectClosed waits for the end of the connection; nothing else may come.
func (c *client) expectClosed() {
	c.t.Helper()
	select {
	case m, ok := <-c.in:
		if ok {
			c.t.Fatalf("got %s, want the end of the connection", m)
		}
	case <-time.After(patience):
		c.t.Fatal("connection still open")
	}
}

// join connects to a namespace and returns the socket's id.
func (c *client) join(namespace string) string {
	c.t.Helper()
	prefix := ""
	if namespace != "/" {
		prefix = namespace + ","
	}
	c.send("0" + prefix)
	return c.connected(prefix)
}

// connected takes a CONNECT packet.
func (c *client) connected(prefix string) string {
	c.t.Helper()
	m := c.next()
	rest, ok := strings.CutPrefix(m.text, "0"+prefix+"{")
	var body struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte("{"+rest), &body); !ok || err != nil || len(body.SID) != 20 {
		c.t.Fatalf("got %s, want CONNECT", m)
	}
	return body.SID
}

// joined dials and connects to a namespace.
func joined(t testing.TB, srv *server.Server, namespace string) (*client, string) {
	t.Helper()
	c := dial(t, srv)
	return c, c.join(namespace)
}

// sync makes sure that all the server did before has arrived: it asks for an acknowledgement of "sync".
func (c *client) sync() {
	c.t.Helper()
	c.send(`2999["sync"]`)
	c.expect(`3999[]`)
}

// syncBusy is sync for a loop whose mailbox is full. An acknowledgement may be refused there, after a second of
// waiting, so it asks again.
func (c *client) syncBusy(srv *server.Server) {
	c.t.Helper()
	for id := 900; id < 905; id++ {
		c.send(fmt.Sprintf(`2%d["sync"]`, id))
		for timeout := time.After(patience / 2); timeout != nil; {
			select {
			case m := <-c.in:
				if m.String() == fmt.Sprintf(`3%d[]`, id) {
					return
				}
			case <-timeout:
				c.t.Logf("no answer to %d; the mailbox refused %d tasks", id, srv.Stats().QueueFull)
				timeout = nil
			}
		}
	}
	stacks := make([]byte, 1<<20)
	c.t.Fatalf("nothing came; %+v\n%s", srv.Stats(), stacks[:runtime.Stack(stacks, true)])
}

func withSync(srv *server.Server, namespaces ...string) {
	for _, n := range append(namespaces, "/") {
		server.On0(srv.Of(n), "sync", func(context.Context, *server.Socket) error { return nil })
	}
}

// poller is an HTTP long-polling client.
type poller struct {
	t    testing.TB
	http *http.Client
	url  string
}

func dialPolling(t testing.TB, srv *server.Server) *poller {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	p := &poller{t: t, http: &http.Client{Transport: tr, Timeout: patience}}
	p.url = "http://" + srv.Addr().String() + "/socket.io/?EIO=4&transport=polling"
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(p.get()[1:]), &open); err != nil {
		t.Fatal(err)
	}
	p.url += "&sid=" + open.SID
	return p
}

func (p *poller) do(method, body string) string {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		p.t.Fatalf("%s: %d %s %v", method, resp.StatusCode, out, err)
	}
	return string(out)
}

func (p *poller) get() string      { p.t.Helper(); return p.do("GET", "") }
func (p *poller) post(body string) { p.t.Helper(); p.do("POST", body) }
func (p *poller) take(n int) (got []string) {
	p.t.Helper()
	for len(got) < n {
		got = append(got, strings.Split(p.get(), "\x1e")...)
	}
	return got
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
