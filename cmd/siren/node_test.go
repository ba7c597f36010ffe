package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/server/logqueue/logtest"
)

// patience bounds each wait for something that must happen.
const patience = 20 * time.Second

// logBuffer collects the log.
type logBuffer = logtest.Buffer

// testNode is `siren serve` in this process.
type testNode struct {
	addr string
	logs *logBuffer
	stop context.CancelFunc
	exit chan int
}

var listening = regexp.MustCompile(`msg=listening .*?addr="?([^\s",]+)`)

// startNode runs the command on a free port and waits until it listens.
func startNode(t *testing.T, args ...string) *testNode {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n := &testNode{logs: new(logBuffer), stop: cancel, exit: make(chan int, 1)}
	args = append([]string{"serve", "--addr", "127.0.0.1:0", "--admin-listen", "", "--drain-spread", "0s"}, args...)
	go func() { n.exit <- execute(ctx, args, n.logs, n.logs) }()
	t.Cleanup(func() { n.end(t) })
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m := listening.FindStringSubmatch(n.logs.String()); m != nil {
			n.addr = m[1]
			return n
		}
	}
	t.Fatalf("it does not listen:\n%s", n.logs)
	return nil
}

// end stops the node, once, and returns its exit code.
func (n *testNode) end(t *testing.T) int {
	t.Helper()
	n.stop()
	select {
	case code := <-n.exit:
		n.exit <- code
		return code
	case <-time.After(patience):
		t.Errorf("it does not end:\n%s", n.logs)
		return -1
	}
}

// client is a raw WebSocket client that has joined the namespace "/".
type client struct {
	conn  net.Conn
	id    string
	count int
	acks  int
}

// dial connects and takes what a new socket is sent: open, CONNECT, the count.
func (n *testNode) dial(t *testing.T) *client {
	t.Helper()
	c := n.open(t)
	c.send(t, "40")
	var connect struct{ SID string }
	got := c.next(t)
	if err := json.Unmarshal([]byte(strings.TrimPrefix(got, "40")), &connect); err != nil || connect.SID == "" {
		t.Fatalf("CONNECT packet: %s", got)
	}
	c.id = connect.SID
	got = c.next(t)
	var ok bool
	if c.count, ok = countOf(got); !ok {
		t.Fatalf("no count: %s", got)
	}
	return c
}

func (n *testNode) tryDial(origin string) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{}
	if origin != "" {
		d.Header = ws.HandshakeHeaderString("Origin: " + origin + "\r\n")
	}
	conn, buffered, _, err := d.Dial(ctx, "ws://"+n.addr+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn}
	if buffered != nil {
		// The open packet came along with the response.
		rest := make([]byte, buffered.Buffered())
		if _, err := buffered.Read(rest); err != nil {
			return nil, err
		}
		c.conn = &primedConn{Conn: conn, first: rest}
	}
	return c, nil
}

// primedConn gives first before what else the connection has.
type primedConn struct {
	net.Conn
	first []byte
}

func (c *primedConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// next returns the next message, binary or text.
func (c *client) next(t *testing.T) string {
	t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	data, _, err := wsutil.ReadServerData(c.conn)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(data)
}

// nextButCount leaves the counts out, which come when they want.
func (c *client) nextButCount(t *testing.T) string {
	t.Helper()
	for {
		got := c.next(t)
		if n, ok := countOf(got); ok {
			c.count = n
			continue
		}
		if !otherCount.MatchString(got) {
			return got
		}
	}
}

// otherCount is the event "count" of another namespace than "/".
var otherCount = regexp.MustCompile(`^42/[^,]*,\["count",`)

// countOf returns the number in the event "count", behind which an offset may come.
func countOf(packet string) (n int, ok bool) {
	_, err := fmt.Sscanf(packet, `42["count",%d`, &n)
	return n, err == nil
}

// event returns the next event but counts, as JSON.
func (c *client) event(t *testing.T) string {
	t.Helper()
	got, ok := strings.CutPrefix(c.nextButCount(t), "42")
	if !ok {
		t.Fatalf("no event: %s", got)
	}
	return got
}

// ask sends an event and returns the arguments of its acknowledgement. Text
// messages that come before it are kept for the next read.
func (c *client) ask(t *testing.T, event string) string {
	t.Helper()
	c.acks++
	c.send(t, fmt.Sprintf("42%d%s", c.acks, event))
	prefix := fmt.Sprintf("43%d", c.acks)
	var before []string
	for {
		got := c.nextButCount(t)
		if answer, ok := strings.CutPrefix(got, prefix); ok {
			c.conn = replay(c.conn, before)
			return answer
		}
		before = append(before, got)
	}
}

// replay puts text messages back in front of the connection.
func replay(conn net.Conn, messages []string) net.Conn {
	if len(messages) == 0 {
		return conn
	}
	var first []byte
	for _, m := range messages {
		first = append(first, ws.MustCompileFrame(ws.NewTextFrame([]byte(m)))...)
	}
	return &primedConn{Conn: conn, first: first}
}

func (c *client) waitCount(t *testing.T, want int) {
	t.Helper()
	for c.count != want {
		if n, ok := countOf(c.next(t)); ok {
			c.count = n
		}
	}
}

func (c *client) send(t *testing.T, packet string) {
	t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(packet)); err != nil {
		t.Fatal(err)
	}
}

func (c *client) sendBinary(t *testing.T, data []byte) {
	t.Helper()
	if err := wsutil.WriteClientBinary(c.conn, data); err != nil {
		t.Fatal(err)
	}
}

// join sends a CONNECT for a namespace and returns the answer.
func (c *client) join(t *testing.T, namespace string) string {
	t.Helper()
	c.send(t, "40"+namespace+",")
	return c.nextButCount(t)
}

// expectPacket reads up to a packet.
func (c *client) expectPacket(t *testing.T, want string) {
	t.Helper()
	for c.next(t) != want {
	}
}
