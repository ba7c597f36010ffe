package servertest

import (
	"slices"
	"strings"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server"
)

// Client is a client's socket in one namespace, over a connection that other sockets of it may share. It is owned by
// the test's goroutine.
type Client struct {
	link *link
	ns   string
	auth any
	id   string
	// pid and offset are what the client can come back with; "" when the server has told none.
	pid, offset string
	// former is the client that Reconnect was called for; nil for others.
	former *Client
	// refusal is the CONNECT_ERROR, reason why the socket has ended.
	refusal *Refusal
	reason  string
	// asked is the id of the next event that asks for an acknowledgement.
	asked   uint64
	answers map[uint64]*Answer
	// events are those that came and nobody has taken.
	events   []Event
	handlers map[string]func(e Event) []any
}

// Refusal is why the server did not let a client in. Immutable.
type Refusal struct {
	// Status is that of the HTTP response when there is no session at all, 0 for a CONNECT_ERROR.
	Status  int
	Message string
	// Data is what server.Refuse was given; without JSON when it was nothing.
	Data server.Raw
}

// Connect opens a connection and joins a namespace; auth, which may be nil, is the payload of CONNECT. The client may
// have been refused: see Refused.
func (ts *Server) Connect(namespace string, auth any, opts ...Option) *Client {
	ts.t.Helper()
	return ts.Client(append(slices.Clone(opts), Namespace(namespace), Auth(auth))...)
}

// Client is Connect with options alone.
func (ts *Server) Client(opts ...Option) *Client {
	ts.t.Helper()
	o := newOptions(opts)
	l := ts.open(o, opts)
	c := l.join(o.namespace, o.auth)
	if o.upgrade && l.reason == "" {
		c.Upgrade()
	}
	return c
}

// open begins a session.
func (ts *Server) open(o *options, given []Option) *link {
	ts.t.Helper()
	if o.badAddr != "" {
		ts.t.Fatalf("servertest: Address(%q) is no address", o.badAddr)
	}
	l := &link{ts: ts, opts: o, given: given, pongs: !o.silent}
	ts.links = append(ts.links, l)
	l.open()
	return l
}

// Silent opens a connection that joins no namespace; see Client.Of.
func (ts *Server) Silent(opts ...Option) *Client {
	ts.t.Helper()
	l := ts.open(newOptions(opts), opts)
	ts.did()
	return &Client{link: l, reason: l.reason}
}

// Of joins another namespace over the client's connection.
func (c *Client) Of(namespace string, auth any) *Client {
	c.ts().t.Helper()
	return c.link.join(namespace, auth)
}

// join connects a socket.
func (l *link) join(namespace string, auth any) *Client {
	l.ts.t.Helper()
	c := &Client{link: l, ns: "/" + strings.TrimPrefix(namespace, "/"), auth: auth, reason: l.reason}
	text, err := sio.AppendConnect([]byte("4"), c.ns, auth)
	if err != nil {
		l.ts.t.Fatalf("servertest: auth: %v", err)
	}
	if l.reason == "" {
		l.sockets = append(l.sockets, c)
		l.send(packet{text: string(text)})
	}
	l.ts.did()
	return c
}

func (c *Client) ts() *Server { return c.link.ts }

// ID is the socket's id, which the server knows it by; "" before it is connected.
func (c *Client) ID() string { return c.id }

// Socket is the server's side of the client; nil when it is not connected.
func (c *Client) Socket() *server.Socket {
	if c.id == "" {
		return nil
	}
	return c.ts().Server.Of(c.ns).Socket(c.id)
}

// Connected tells whether the socket is in its namespace, as far as the client knows.
func (c *Client) Connected() bool { return c.id != "" && c.reason == "" }

// Transport is the transport in use.
func (c *Client) Transport() server.Transport {
	if c.link.ws != nil {
		return server.WebSocket
	}
	return server.Polling
}

// Refused is why the server refused the client; nil when it did not. The connection stays after a CONNECT_ERROR.
func (c *Client) Refused() *Refusal {
	if c.refusal != nil {
		return c.refusal
	}
	return c.link.refusal
}

// DisconnectReason is why the socket has ended, in the official client's words, such as "io server disconnect",
// "io client disconnect" or "transport close"; "" while it has not.
func (c *Client) DisconnectReason() string { return c.reason }

// Disconnect leaves the namespace; with its last socket, the client closes its connection.
func (c *Client) Disconnect() {
	c.ts().t.Helper()
	if c.reason != "" {
		return
	}
	if slices.Contains(c.link.sockets, c) {
		c.link.send(packet{text: string(sio.AppendDisconnect([]byte("4"), c.ns))})
	}
	c.ended(reasonClient)
	c.ts().did()
	if len(c.link.sockets) == 0 {
		c.link.leave()
	}
	c.ts().did()
}

// Cut ends the connection without a goodbye, as when the network fails. The server sees it at once; for a client that
// just falls silent, see StopReading and AnswerPings.
func (c *Client) Cut() {
	c.ts().t.Helper()
	c.link.end(reasonClose)
	c.ts().did()
}

// StopReading makes the client a slow one: it takes nothing more from its connection, and answers no pings.
func (c *Client) StopReading() { c.read(false) }

// Resume goes on reading.
func (c *Client) Resume() {
	c.ts().t.Helper()
	c.read(true)
	c.ts().did()
}

func (c *Client) read(on bool) {
	c.link.paused = !on
	for _, w := range c.link.wires() {
		w.stall(!on)
	}
}

// AnswerPings turns the answering of pings off, or on again.
func (c *Client) AnswerPings(on bool) { c.link.pongs = on }

// Probe begins an upgrade from polling to a WebSocket, up to the server's answer to the probe. It reports whether that
// came. Upgrade ends it.
func (c *Client) Probe() bool {
	c.ts().t.Helper()
	l := c.link
	if l.ws != nil || l.probe != nil || l.reason != "" {
		return l.probed
	}
	l.probe = l.openWebSocket()
	c.ts().did()
	return l.probed
}

// Upgrade goes over from polling to a WebSocket. It reports whether the server let it.
func (c *Client) Upgrade() bool {
	c.ts().t.Helper()
	if c.Probe() && c.link.reason == "" {
		c.link.takeOver()
		c.ts().did()
	}
	return c.link.ws != nil
}

// SendRaw sends an Engine.IO packet as it is, for tests of what clients should not send: "42[\"event\"]", "x".
func (c *Client) SendRaw(text string) {
	c.ts().t.Helper()
	c.link.send(packet{text: text})
	c.ts().did()
}

// ended is the end of the socket as the client sees it.
func (c *Client) ended(reason string) {
	if c.reason == "" {
		c.reason = reason
	}
	if i := slices.Index(c.link.sockets, c); i >= 0 {
		c.link.sockets = slices.Delete(c.link.sockets, i, i+1)
	}
}
