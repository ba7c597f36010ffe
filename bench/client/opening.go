package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
)

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
