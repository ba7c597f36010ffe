package session

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// peer is a client's end of one connection.
type peer struct {
	rig  *rig
	conn *pollertest.Conn
	in   []byte // what came and was not looked at
	ws   wsframe.Reader
}

// dial connects to a loop.
func (r *rig) dial(loop int) *peer {
	c := pollertest.NewConn(r.loops[loop], nil)
	r.loops[loop].Do(func() { c.SetReceiver(r.engine.Accept(c, loop)) })
	return &peer{rig: r, conn: c}
}

// write sends bytes and lets the loops work.
func (p *peer) write(data string) *peer {
	p.conn.Feed([]byte(data))
	p.rig.run()
	return p
}

// cut closes the connection from the client's side.
func (p *peer) cut() {
	p.conn.PeerClose(io.EOF)
	p.rig.run()
}

func (p *peer) isClosed() bool {
	closed, _ := p.conn.Closed()
	return closed
}

func (p *peer) pull() []byte {
	for _, f := range p.conn.TakeFrames() {
		p.in = append(p.in, f...)
	}
	return p.in
}

// response is an answer as the client sees it.
type response struct {
	*http.Response
	body string
}

func (r *response) String() string { return fmt.Sprintf("%d %q", r.StatusCode, r.body) }

// answer is the next response; nil when none has come. method is what was asked with.
func (p *peer) answerTo(method string) *response {
	p.rig.t.Helper()
	in := p.pull()
	if len(in) == 0 {
		return nil
	}
	src := bytes.NewReader(in)
	buf := bufio.NewReader(src)
	resp, err := http.ReadResponse(buf, &http.Request{Method: method})
	if err != nil {
		p.rig.t.Fatalf("no response: %v in %q", err, in)
	}
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols {
		if body, err = io.ReadAll(resp.Body); err != nil {
			p.rig.t.Fatalf("short body: %v in %q", err, in)
		}
	}
	p.in = in[len(in)-src.Len()-buf.Buffered():]
	return &response{resp, string(body)}
}

func (p *peer) answer() *response { p.rig.t.Helper(); return p.answerTo("GET") }

// want takes the next response and compares it.
func (p *peer) want(status int, body string) *response {
	p.rig.t.Helper()
	r := p.answer()
	if r == nil {
		p.rig.t.Fatalf("no answer, want %d %q", status, body)
	}
	if r.StatusCode != status || r.body != body {
		p.rig.t.Fatalf("answer %v, want %d %q", r, status, body)
	}
	return r
}

// wantNothing fails when anything has come.
func (p *peer) wantNothing() {
	p.rig.t.Helper()
	if in := p.pull(); len(in) > 0 {
		p.rig.t.Fatalf("unexpected: %q", in)
	}
}

// Bodies of the protocol's errors.
func errorBody(code eio.ErrorCode) string { return string(eio.AppendError(nil, code, "")) }

// request is the text of a request; fields are whole lines.
func request(method, target, body string, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: siren.example\r\n", method, target)
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	if body != "" || method == "POST" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

const base = "/engine.io/?EIO=4&transport="

func getRequest(sid string) string        { return request("GET", base+"polling&sid="+sid, "") }
func postRequest(sid, body string) string { return request("POST", base+"polling&sid="+sid, body) }

const testKey = "dGhlIHNhbXBsZSBub25jZQ=="

// upgradeRequest asks for a WebSocket; sid may be empty.
func upgradeRequest(sid string, fields ...string) string {
	target := base + "websocket"
	if sid != "" {
		target += "&sid=" + sid
	}
	return request("GET", target, "", append([]string{"Connection: keep-alive, Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + testKey}, fields...)...)
}

// openInfo is the content of an open packet.
type openInfo struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"`
	PingTimeout  int      `json:"pingTimeout"`
	MaxPayload   int      `json:"maxPayload"`
}

func parseOpen(t testing.TB, packet string) (o openInfo) {
	t.Helper()
	if !strings.HasPrefix(packet, "0") {
		t.Fatalf("no open packet: %q", packet)
	}
	if err := json.Unmarshal([]byte(packet[1:]), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// poll opens a polling session whose home is that loop and returns its id.
func (r *rig) poll(loop int) string {
	r.t.Helper()
	p := r.dial(loop).write(request("GET", base+"polling", ""))
	a := p.answer()
	if a == nil || a.StatusCode != 200 {
		r.t.Fatalf("handshake: %v", a)
	}
	p.cut()
	return parseOpen(r.t, a.body).SID
}

// get is a GET of a session on a new connection.
func (r *rig) get(loop int, sid string) *peer { return r.dial(loop).write(getRequest(sid)) }

// post is a POST of a session on a new connection.
func (r *rig) post(loop int, sid, body string) *peer {
	return r.dial(loop).write(postRequest(sid, body))
}

// open opens a WebSocket; the open packet is read when sid is empty.
func (r *rig) openWS(loop int, sid string) *peer {
	r.t.Helper()
	p := r.dial(loop).write(upgradeRequest(sid))
	if a := p.answer(); a == nil || a.StatusCode != 101 {
		r.t.Fatalf("upgrade: %v", a)
	}
	if sid == "" {
		parseOpen(r.t, p.message())
	}
	return p
}

// frame is a client's frame.
func frame(op ws.OpCode, payload string) string {
	return string(wsframe.AppendMaskedFrame(nil, op, true, [4]byte{1, 2, 3, 4}, []byte(payload)))
}

func textFrame(payload string) string { return frame(ws.OpText, payload) }

// text sends a text message.
func (p *peer) text(packet string) *peer { return p.write(textFrame(packet)) }

var clientLimits = wsframe.Limits{Client: true, MessageBytes: 64 << 20}

// next is the next frame of the server: "t:…", "b:…", "close:code", "pong:…", or "" for none.
func (p *peer) next() string {
	p.rig.t.Helper()
	in := p.pull()
	if len(in) == 0 {
		return ""
	}
	var m wsframe.Message
	n, err := p.ws.Next(in, &clientLimits, &m)
	if err != nil || n == 0 {
		p.rig.t.Fatalf("no frame (%v): %q", err, in)
	}
	p.in = in[n:]
	switch m.Kind {
	case wsframe.Text:
		return "t:" + string(m.Data)
	case wsframe.Binary:
		return "b:" + string(m.Data)
	case wsframe.Pong:
		return "pong:" + string(m.Data)
	case wsframe.Ping:
		return "ping:" + string(m.Data)
	}
	return fmt.Sprintf("close:%d", m.Code)
}

// message is the next message, which must be text.
func (p *peer) message() string {
	p.rig.t.Helper()
	m := p.next()
	if !strings.HasPrefix(m, "t:") {
		p.rig.t.Fatalf("no text message: %q", m)
	}
	return m[2:]
}

// wantFrames compares all that came.
func (p *peer) wantFrames(want ...string) {
	p.rig.t.Helper()
	var got []string
	for f := p.next(); f != ""; f = p.next() {
		got = append(got, f)
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		p.rig.t.Fatalf("frames %q, want %q", got, want)
	}
}

// wantClosed checks the reasons the application was told.
func (c *recorder) wantClosed(want ...Reason) {
	c.rig.t.Helper()
	if fmt.Sprint(c.closed) != fmt.Sprint(want) {
		c.rig.t.Fatalf("closed %v, want %v", c.closed, want)
	}
}

func (c *recorder) wantGot(want ...string) {
	c.rig.t.Helper()
	if fmt.Sprintf("%q", c.got) != fmt.Sprintf("%q", want) {
		c.rig.t.Fatalf("got %q, want %q", c.got, want)
	}
}

// both runs a test with the second connection on the session's loop and on another one.
func both(t *testing.T, run func(t *testing.T, loop int)) {
	t.Helper()
	t.Run("local", func(t *testing.T) { run(t, 0) })
	t.Run("foreign", func(t *testing.T) { run(t, 1) })
}

// fast is the configuration of the official test suite.
var fast = Config{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, CORS: CORS{Origins: []string{"*"}}}
