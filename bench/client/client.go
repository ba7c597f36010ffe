package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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
	c.prefix = eventPrefix(o.namespace())
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

// eventPrefix returns the beginning of an event without an id.
func eventPrefix(namespace string) []byte {
	return append([]byte("4"), sio.AppendHead(nil, sio.Event, 0, namespace, -1)...)
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
