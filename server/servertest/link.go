package servertest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/server"
)

// link is the client's side of one Engine.IO session, with the sockets in its namespaces. Owned by the test's
// goroutine.
type link struct {
	ts   *Server
	opts *options
	// given are the options as they were given.
	given []Option
	sid   string
	// ws is the transport when it is a WebSocket; get and post are the connections of polling.
	ws, get, post *wire
	// probe is the WebSocket of an upgrade; probed is set when the server has answered its probe.
	probe  *wire
	probed bool
	// in has received packets that were not handled yet, out packets that wait for a POST or the end of an upgrade.
	in, out []packet
	asm     sio.Assembler
	sockets []*Client
	pongs   bool
	paused  bool
	// refusal is the server's HTTP response that refused the session.
	refusal *Refusal
	// reason is the cause of the session's end, "" before.
	reason string
}

// packet is one Engine.IO packet: text with its type, or a binary message.
type packet struct {
	text   string
	binary []byte // not nil for a binary one
}

// The client's reasons for an end, which are the official client's.
const (
	reasonServer    = "io server disconnect"
	reasonClient    = "io client disconnect"
	reasonClose     = "transport close"
	reasonTransport = "transport error"
	reasonParse     = "parse error"
)

// open begins the session.
func (l *link) open() {
	if l.opts.transport == server.WebSocket {
		l.ws = l.openWebSocket()
		return
	}
	l.fetch()
}

// openWebSocket opens a WebSocket, for the present session if there is one.
func (l *link) openWebSocket() *wire {
	w := l.ts.dial(l.opts)
	w.stall(l.paused)
	w.busy = true
	l.request(w, http.MethodGet, "websocket", "", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	return w
}

// request sends one HTTP request.
func (l *link) request(w *wire, method, transport, body string, fields ...string) {
	query := url.Values{"EIO": {"4"}, "transport": {transport}}
	for name, values := range l.opts.query {
		query[name] = values
	}
	if l.sid != "" {
		query.Set("sid", l.sid)
	}
	path := strings.Trim(l.ts.cfg.Path, "/")
	if path == "" {
		path = "socket.io"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s /%s/?%s HTTP/1.1\r\nHost: servertest\r\n", method, path, query.Encode())
	for _, f := range append(fields, l.opts.headers...) {
		b.WriteString(f + "\r\n")
	}
	if method == http.MethodPost {
		fmt.Fprintf(&b, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", len(body))
	}
	w.busy = true
	w.write([]byte(b.String() + "\r\n" + body))
}

// reuse returns a connection for the next request.
func (l *link) reuse(w *wire) *wire {
	if w == nil || w.closed() {
		w = l.ts.dial(l.opts)
		w.stall(l.paused)
	}
	return w
}

// fetch sends the next GET.
func (l *link) fetch() {
	l.get = l.reuse(l.get)
	l.request(l.get, http.MethodGet, "polling", "")
}

// send sends packets, or queues them until the transport is ready.
func (l *link) send(packets ...packet) {
	l.out = append(l.out, packets...)
	l.flush()
}

// flush sends the queued packets.
func (l *link) flush() {
	if len(l.out) == 0 || l.reason != "" || l.sid == "" || l.probed {
		return
	}
	if l.ws != nil {
		var b []byte
		for _, p := range l.out {
			b = appendFrame(b, p)
		}
		l.out = nil
		l.ws.write(b)
		return
	}
	if l.post != nil && l.post.busy {
		return
	}
	texts := make([]string, len(l.out))
	for i, p := range l.out {
		if texts[i] = p.text; p.binary != nil {
			texts[i] = "b" + base64.StdEncoding.EncodeToString(p.binary)
		}
	}
	l.out = nil
	l.post = l.reuse(l.post)
	l.request(l.post, http.MethodPost, "polling", strings.Join(texts, string(rune(eio.Separator))))
}

// appendFrame appends a packet as a client's WebSocket frame. The mask need not be random without a network.
func appendFrame(dst []byte, p packet) []byte {
	op, data := ws.OpText, []byte(p.text)
	if p.binary != nil {
		op, data = ws.OpBinary, p.binary
	}
	return wsframe.AppendMaskedFrame(dst, op, true, [4]byte{1, 2, 3, 4}, data)
}

// wires returns the session's connections.
func (l *link) wires() []*wire {
	return slices.DeleteFunc([]*wire{l.ws, l.probe, l.get, l.post}, func(w *wire) bool { return w == nil })
}

// end ends the session at the client.
func (l *link) end(reason string) {
	if l.reason != "" {
		return
	}
	l.reason = reason
	for _, w := range l.wires() {
		w.cut()
	}
	l.ts.forget(l)
	for _, c := range slices.Clone(l.sockets) {
		c.ended(reason)
	}
}

// leave ends the session from the client's side, with a close packet.
func (l *link) leave() {
	if l.ws != nil {
		l.ws.write(wsframe.AppendMaskedFrame(nil, ws.OpClose, true, [4]byte{1, 2, 3, 4}, nil))
	} else {
		l.send(packet{text: string(rune(eio.Close))})
	}
	l.ts.did()
	l.end(reasonClient)
}

// opened handles the open packet.
func (l *link) opened(data []byte) {
	var info struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(data, &info); err != nil || info.SID == "" {
		l.end(reasonParse)
		return
	}
	l.sid = info.SID
	l.flush()
}

// refused handles an HTTP response that refuses the session, or ends it.
func (l *link) refused(r *http.Response, body []byte) {
	if l.sid == "" {
		var e struct{ Message string }
		if json.Unmarshal(body, &e) != nil {
			e.Message = string(body)
		}
		l.refusal = &Refusal{Status: r.StatusCode, Message: e.Message}
	}
	l.end(reasonTransport)
}
