package servertest

import (
	"slices"
	"strings"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server"
)

// Client is a client's socket in one namespace. Several sockets may share its connection. It is owned by the test's
// goroutine.
type Client struct {
	link *link
	ns   string
	auth any
	id   string
	// pid and offset are the client's state for recovery; "" if the server has sent none.
	pid, offset string
	// former is the client of the Reconnect that made this one, or nil.
	former *Client
	// refusal is the CONNECT_ERROR, reason the cause of the socket's end.
	refusal *Refusal
	reason  string
	// asked is the id of the next event that asks for an acknowledgement.
	asked   uint64
	answers map[uint64]*Answer
	// events has the received events that were not taken.
	events   []Event
	handlers map[string]func(e Event) []any
}

// Refusal is the server's refusal of a client. Immutable.
type Refusal struct {
	// Status is the status of the HTTP response if there is no session at all, 0 for a CONNECT_ERROR.
	Status  int
	Message string
	// Data is the data of server.Refuse; it has no JSON if there was none.
	Data server.Raw
}

// Connect opens a connection and joins a namespace. auth is the payload of CONNECT, or nil. If the server may refuse
// the client, see Refused.
func (ts *Server) Connect(namespace string, auth any, opts ...Option) *Client {
	ts.t.Helper()
	return ts.Client(append(slices.Clone(opts), Namespace(namespace), Auth(auth))...)
}

// Client is Connect with options only.
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

// ID returns the socket's id, or "" before it is connected.
func (c *Client) ID() string { return c.id }

// Socket returns the server's side of the client, or nil if it is not connected.
func (c *Client) Socket() *server.Socket {
	if c.id == "" {
		return nil
	}
	ns := c.ts().Lookup(c.ns) // Of would keep the child of a parent for good
	if ns == nil {
		return nil
	}
	return ns.Socket(c.id)
}

// Connected reports whether the socket is in its namespace, as far as the client knows.
func (c *Client) Connected() bool { return c.id != "" && c.reason == "" }

// Transport returns the transport in use.
func (c *Client) Transport() server.Transport {
	if c.link.ws != nil {
		return server.WebSocket
	}
	return server.Polling
}

// Refused returns the server's refusal of the client, or nil. The connection stays open after a CONNECT_ERROR.
func (c *Client) Refused() *Refusal {
	if c.refusal != nil {
		return c.refusal
	}
	return c.link.refusal
}

// DisconnectReason returns the reason of the socket's end in the official client's words, such as "io server
// disconnect", "io client disconnect" or "transport close"; it is "" before the end.
func (c *Client) DisconnectReason() string { return c.reason }

// Disconnect leaves the namespace. With its last socket, the client closes its connection.
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

// Cut cuts the connection, like a network failure. The server notices at once; for a client that only falls silent, see
// StopReading and AnswerPings.
func (c *Client) Cut() {
	c.ts().t.Helper()
	c.link.end(reasonClose)
	c.ts().did()
}

// StopReading makes the client stop reading from its connection. It then answers no pings.
func (c *Client) StopReading() { c.read(false) }

// Resume makes the client read again.
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

// AnswerPings switches the answers to pings off, or on again.
func (c *Client) AnswerPings(on bool) { c.link.pongs = on }

// Probe begins an upgrade from polling to a WebSocket, up to the server's answer to the probe, and reports whether that
// arrived. Upgrade completes it.
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

// Upgrade upgrades from polling to a WebSocket, and reports whether the server accepted it.
func (c *Client) Upgrade() bool {
	c.ts().t.Helper()
	if c.Probe() && c.link.reason == "" {
		c.link.takeOver()
		c.ts().did()
	}
	return c.link.ws != nil
}

// SendRaw sends an Engine.IO packet unchanged, for tests of invalid input: "42[\"event\"]", "x".
func (c *Client) SendRaw(text string) {
	c.ts().t.Helper()
	c.link.send(packet{text: text})
	c.ts().did()
}

// ended handles the end of the socket at the client.
func (c *Client) ended(reason string) {
	if c.reason == "" {
		c.reason = reason
	}
	if i := slices.Index(c.link.sockets, c); i >= 0 {
		c.link.sockets = slices.Delete(c.link.sockets, i, i+1)
	}
}
