package forward

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server/engineio"
	"github.com/seed58c87869/siren/session"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

var testSecret = []byte("a secret that all nodes know")

// node is a server with its Node.
type node struct {
	*Node
	srv  *engineio.Server
	addr string
	// echoes counts the messages that it has got; sessions has the sockets that opened here.
	echoes  atomic.Int64
	sockets chan engineio.Socket
}

// echo sends back what it gets.
type echo struct {
	s engineio.Socket
	n *node
}

func (e echo) Message(data []byte, binary bool) {
	e.n.echoes.Add(1)
	if binary {
		_ = e.s.SendBinary(append([]byte(nil), data...))
		return
	}
	_ = e.s.SendText(string(data))
}

func (e echo) Closed(engineio.Reason) {}

// start starts a node. change may change its configurations.
func start(t testing.TB, change func(f *Config, s *engineio.Config)) *node {
	t.Helper()
	n := &node{sockets: make(chan engineio.Socket, 4096)}
	fc := Config{Listen: "127.0.0.1:0", Secret: testSecret}
	sc := engineio.Config{Loops: 2, Open: func(s engineio.Socket) engineio.Client {
		select {
		case n.sockets <- s:
		default:
		}
		return echo{s, n}
	}}
	if change != nil {
		change(&fc, &sc)
	}
	fw, err := New(fc)
	if err != nil {
		t.Fatal(err)
	}
	n.Node, sc.Session.Forwarder, sc.Session.Path = fw, fw, "/socket.io"
	if n.srv, err = engineio.New(sc); err != nil {
		t.Fatal(err)
	}
	if err := n.srv.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	n.addr = n.srv.Addrs()[0].String()
	t.Cleanup(func() {
		_ = n.srv.Close()
		_ = n.Close()
	})
	return n
}

// startAll starts nodes that know each other.
func startAll(t testing.TB, count int, change func(f *Config, s *engineio.Config)) []*node {
	t.Helper()
	var all []*node
	for range count {
		all = append(all, start(t, func(f *Config, s *engineio.Config) {
			for _, other := range all {
				f.Peers = append(f.Peers, other.Address())
			}
			if change != nil {
				change(f, s)
			}
		}))
	}
	for _, n := range all {
		waitFor(t, "all nodes to be up", func() bool { return n.up() == count-1 })
	}
	return all
}

// up returns the number of peers that are up.
func (n *node) up() (up int) {
	for _, p := range n.Peers() {
		if p.State == Up {
			up++
		}
	}
	return up
}

// under returns the numbers of requests and WebSockets under way to other nodes.
func (n *node) under() (forwards, sockets int) {
	for _, p := range n.Peers() {
		forwards, sockets = forwards+p.Forwards, sockets+p.WebSockets
	}
	return forwards, sockets
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// browser makes requests, each of which may go to another node.
type browser struct {
	t    testing.TB
	http *http.Client
}

func newBrowser(t testing.TB) *browser {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, &http.Client{Transport: transport, Timeout: patience}}
}

// answer is an answer with its body.
type answer struct {
	*http.Response
	text string
}

// do makes a request at a node and returns the answer.
func (b *browser) do(n *node, method, query, body string, header ...string) answer {
	b.t.Helper()
	a, err := b.try(n, method, query, body, header...)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *browser) try(n *node, method, query, body string, header ...string) (answer, error) {
	url := "http://" + n.addr + "/socket.io/?EIO=4&transport=polling" + query
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := b.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return answer{r, string(text)}, err
}

// open opens a polling session at a node and returns its id.
func (b *browser) open(n *node) string {
	b.t.Helper()
	a := b.do(n, "GET", "", "")
	_, rest, ok := strings.Cut(a.text, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	if !ok || a.StatusCode != 200 {
		b.t.Fatal(a.Status, a.text)
	}
	return sid
}

// next returns the next socket that has opened at the node.
func (n *node) next(t testing.TB) engineio.Socket {
	t.Helper()
	select {
	case s := <-n.sockets:
		return s
	case <-time.After(patience):
		t.Fatal("no session has opened")
		return engineio.Socket{}
	}
}

// want fails the test unless the answer has that status and body.
func (a answer) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.StatusCode != status || a.text != body {
		t.Fatalf("got %d %.200q, want %d %.200q", a.StatusCode, a.text, status, body)
	}
}

const unknown = `{"code":1,"message":"Session ID unknown"}`

// dial connects to a node's listener for clients.
func (n *node) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func target(sid, transport string) string {
	return fmt.Sprintf("/socket.io/?EIO=4&transport=%s&sid=%s", transport, sid)
}

var _ session.Forwarder = (*Node)(nil)
