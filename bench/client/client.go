package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
)

// Event is an event that the server emitted. It is valid during the call of the handler only.
type Event struct {
	// Name of the event.
	Name []byte
	// Args is the list of the arguments in JSON without the brackets. Binary data is a placeholder in it.
	Args []byte
	// At is when the event was read.
	At time.Time
}

// wire is a transport of a session.
type wire interface {
	// read returns the next packet, which is valid until the next call. One goroutine calls it.
	read() (packet []byte, binary bool, err error)
	// write sends a packet; safe for concurrent use.
	write(packet []byte) error
	// expire sets the time at which reads fail, zero for never.
	expire(t time.Time)
	// close ends the session.
	close()
}

// ErrClosed is the reason of a session that this side has closed.
var ErrClosed = errors.New("client: closed")

// Client is an open session. Safe for concurrent use.
type Client struct {
	o      *Options
	wire   wire
	handle func(*Event)
	prefix []byte        // of an event without an id: "42" and the namespace
	silent time.Duration // after which the server is taken for dead
	done   chan struct{} // closed when the session has ended
	timing Timing
	id     string

	// Owned by the reading goroutine.
	awaited int // binary messages that belong to the last packet
	event   Event

	mu     sync.Mutex // guards what follows
	nextID uint64
	acks   map[uint64]func([]byte, time.Time)
	err    error
	ended  bool
}

// Timing tells how long the parts of opening a session took. Immutable.
type Timing struct {
	// Transport is the time until the Engine.IO handshake was complete, with the upgrade. Namespace is the time from the
	// beginning until the namespace had accepted the session.
	Transport, Namespace time.Duration
}

// Dial opens a session and joins its namespace. handle gets the events, on the session's goroutine; nil ignores them.
// Errors wrap a *Fault.
func Dial(ctx context.Context, o *Options, handle func(*Event)) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	begin := time.Now()
	c := &Client{o: o, handle: handle, done: make(chan struct{}), acks: make(map[uint64]func([]byte, time.Time))}
	c.prefix = append([]byte("4"), sio.AppendHead(nil, sio.Event, 0, o.namespace(), -1)...)
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	c.timing.Transport = time.Since(begin)
	if err := c.join(ctx); err != nil {
		c.wire.close()
		return nil, err
	}
	c.timing.Namespace = time.Since(begin)
	go c.run()
	return c, nil
}

// Timing returns how long it took to open the session.
func (c *Client) Timing() Timing { return c.timing }

// ID returns the id of the socket in its namespace.
func (c *Client) ID() string { return c.id }

// Done is closed when the session has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the session ended, nil while it is open, and ErrClosed after Close.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the session and waits until its handler is not called any more. It must not be called by the handler.
func (c *Client) Close() {
	c.end(ErrClosed)
	<-c.done
}

// Emit sends an event. args is the list of its arguments in JSON, without brackets. ack, if it is not nil, gets the
// arguments of the acknowledgement and the time at which it was read, on the session's goroutine; it is not called if
// the session ends before.
func (c *Client) Emit(event string, args []byte, ack func(args []byte, at time.Time)) error {
	packet := append(make([]byte, 0, len(c.prefix)+len(event)+len(args)+32), c.prefix...)
	if ack != nil {
		c.mu.Lock()
		id := c.nextID
		c.nextID++
		c.acks[id] = ack
		c.mu.Unlock()
		packet = strconv.AppendUint(packet, id, 10)
	}
	name, err := json.Marshal(event)
	if err != nil {
		return err
	}
	packet = append(append(packet, '['), name...)
	if len(args) > 0 {
		packet = append(append(packet, ','), args...)
	}
	packet = append(packet, ']')
	if err := c.wire.write(packet); err != nil {
		c.end(c.lost(err))
		return c.Err()
	}
	return nil
}

// open makes the Engine.IO handshake.
func (c *Client) open(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	if c.o.Transport == "" || c.o.Transport == WebSocket {
		s, err := dialSocket(ctx, c.o, "")
		if err != nil {
			return err
		}
		s.expire(deadline)
		c.wire = s
		if _, err := c.handshake(ctx); err != nil {
			s.close()
			return err
		}
		return nil
	}
	p := newPoller(c.o)
	p.expire(deadline)
	stop := context.AfterFunc(ctx, p.cancel)
	defer stop()
	c.wire = p
	sid, err := c.handshake(ctx)
	if err != nil {
		p.close()
		return err
	}
	p.sid = sid
	if c.o.Transport == Polling {
		return nil
	}
	if err := c.upgrade(ctx, sid); err != nil {
		p.close()
		return err
	}
	p.cancel()
	return nil
}

// handshake takes the open packet.
func (c *Client) handshake(ctx context.Context) (sid string, err error) {
	const expected = "the Engine.IO handshake"
	packet, _, err := c.wire.read()
	if err != nil {
		return "", c.opening(ctx, expected, err)
	}
	var open struct {
		SID          string `json:"sid"`
		PingInterval int64  `json:"pingInterval"`
		PingTimeout  int64  `json:"pingTimeout"`
	}
	if len(packet) == 0 || packet[0] != '0' || json.Unmarshal(packet[1:], &open) != nil || open.SID == "" {
		return "", &Fault{Expected: expected, Got: quoted(packet),
			Next: fmt.Sprintf("check the path: Socket.IO may not be served at %s", c.o.path())}
	}
	c.silent = time.Duration(open.PingInterval+open.PingTimeout) * time.Millisecond
	return open.SID, nil
}

// upgrade moves a session that polls to a WebSocket. No packet is on its way meanwhile.
func (c *Client) upgrade(ctx context.Context, sid string) error {
	const expected = "the answer to the probe of an upgrade"
	s, err := dialSocket(ctx, c.o, sid)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	s.expire(deadline)
	err = s.write([]byte("2probe"))
	var packet []byte
	if err == nil {
		packet, _, err = s.read()
	}
	if err == nil && string(packet) != "3probe" {
		err = &Fault{Expected: expected, Got: quoted(packet)}
	}
	if err == nil {
		err = s.write([]byte("5"))
	}
	if err != nil {
		s.close()
		return c.opening(ctx, expected, err)
	}
	c.wire = s
	return nil
}

// join connects to the namespace.
func (c *Client) join(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.wire.expire(time.Unix(1, 0)) })
	defer stop()
	expected := "the answer of the namespace " + c.o.namespace()
	var auth any
	if len(c.o.Auth) > 0 {
		auth = c.o.Auth
	}
	packet, err := sio.AppendConnect([]byte("4"), c.o.namespace(), auth)
	if err != nil {
		return &Fault{Expected: "an object as auth", Got: printable(c.o.Auth), Err: err}
	}
	if err := c.wire.write(packet); err != nil {
		return c.opening(ctx, expected, err)
	}
	for {
		packet, binary, err := c.wire.read()
		if err != nil {
			return c.opening(ctx, expected, err)
		}
		if binary || len(packet) == 0 {
			continue
		}
		joined, err := c.joining(packet, expected)
		if joined || err != nil {
			return err
		}
	}
}

// joining handles a packet that came before the namespace had answered.
func (c *Client) joining(packet []byte, expected string) (joined bool, err error) {
	switch packet[0] {
	case '2':
		return false, c.wire.write(pong(packet))
	case '1':
		return false, &Fault{Expected: expected, Got: "the end of the session"}
	case '4':
	default:
		return false, nil
	}
	var p sio.Packet
	if err := sio.Parse(packet[1:], nil, &p); err != nil {
		return false, &Fault{Expected: expected, Got: quoted(packet), Err: err}
	}
	if string(p.Namespace) != c.o.namespace() {
		return false, nil
	}
	switch p.Type {
	case sio.Connect:
		var hello struct {
			SID string `json:"sid"`
		}
		_ = json.Unmarshal(p.Data, &hello) // the id is for people alone
		c.id = strings.Clone(hello.SID)
		return true, nil
	case sio.ConnectError:
		var refusal struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(p.Data, &refusal) // without a message the packet is shown
		got := fmt.Sprintf("a refusal: %s", printable([]byte(refusal.Message)))
		if refusal.Message == "" {
			got = "a refusal: " + printable(p.Data)
		}
		return false, &Fault{Expected: expected, Got: got, Next: "check connect.auth and connect.namespace"}
	}
	return false, nil // events before the answer
}

// opening is the fault of a session that did not open.
func (c *Client) opening(ctx context.Context, expected string, err error) error {
	var f *Fault
	if errors.As(err, &f) && ctx.Err() == nil {
		return err
	}
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	var closed *closedError
	if errors.As(err, &closed) {
		return &Fault{Expected: expected, Got: err.Error(), Next: "see the server's log for the reason", Err: err}
	}
	return Unreachable(c.o, expected, err)
}

// run reads until the session ends.
func (c *Client) run() {
	defer close(c.done)
	for {
		if c.silent > 0 {
			c.wire.expire(time.Now().Add(c.silent))
		} else {
			c.wire.expire(time.Time{})
		}
		packet, binary, err := c.wire.read()
		if err != nil {
			c.end(c.lost(err))
			return
		}
		if err := c.take(packet, binary, time.Now()); err != nil {
			c.end(err)
			return
		}
	}
}

// take handles one packet.
func (c *Client) take(packet []byte, binary bool, now time.Time) error {
	if binary {
		c.awaited = max(c.awaited-1, 0)
		return nil
	}
	if len(packet) == 0 {
		return &Fault{Expected: "a packet", Got: "an empty message"}
	}
	switch packet[0] {
	case '2':
		return c.wire.write(pong(packet))
	case '1':
		return &Fault{Expected: "an open session", Got: "the server's close packet", Next: "see the server's log for the reason"}
	case '4':
		return c.message(packet[1:], now)
	case '6': // noop
		return nil
	}
	return &Fault{Expected: "a packet of Engine.IO 4", Got: quoted(packet)}
}

// message handles one Socket.IO packet. Attachments need not be waited for, because nobody looks into them.
func (c *Client) message(text []byte, now time.Time) error {
	var p sio.Packet
	if err := sio.Parse(text, nil, &p); err != nil {
		return &Fault{Expected: "a packet of Socket.IO 5", Got: quoted(text), Err: err}
	}
	if string(p.Namespace) != c.o.namespace() {
		return nil
	}
	switch p.Type {
	case sio.Event, sio.BinaryEvent:
		c.awaited = p.Attachments
		if c.handle != nil {
			c.event = Event{Name: p.Event, Args: p.Args, At: now}
			c.handle(&c.event)
		}
	case sio.Ack, sio.BinaryAck:
		c.mu.Lock()
		ack := c.acks[p.ID]
		delete(c.acks, p.ID)
		c.mu.Unlock()
		if ack != nil {
			ack(p.Args, now)
		}
	case sio.Disconnect:
		return &Fault{Expected: "an open namespace", Got: "a DISCONNECT of the server", Next: "see the server's log for the reason"}
	}
	return nil
}

// pong answers a ping with what it carries.
func pong(ping []byte) []byte { return append([]byte("3"), bytes.Clone(ping[1:])...) }

// lost is the fault of a session that was open.
func (c *Client) lost(err error) error {
	var f *Fault
	if errors.As(err, &f) && !isTimeout(err) {
		return err
	}
	const expected = "an open session"
	var closed *closedError
	switch {
	case errors.As(err, &closed):
		return &Fault{Expected: expected, Got: err.Error(), Next: "see the server's log for the reason", Err: err}
	case isTimeout(err):
		return &Fault{Expected: "a heartbeat", Got: fmt.Sprintf("nothing within %v", c.silent),
			Next: "see whether the server stands still", Err: err}
	}
	return Unreachable(c.o, expected, err)
}

// end closes the session, with the first reason.
func (c *Client) end(err error) {
	c.mu.Lock()
	first := !c.ended
	if first {
		c.ended, c.err = true, err
		clear(c.acks)
	}
	c.mu.Unlock()
	if first {
		c.wire.close()
	}
}
