package server

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/seed58c87869/siren/session"
)

// fragileSink is a sink that panics once it is armed, when something is queued.
type fragileSink struct {
	sink
	armed bool
	// ending, if set, is called when the connection is closed.
	ending func()
}

func (c *fragileSink) Queue(frame []byte) bool {
	if c.armed {
		panic("on purpose")
	}
	return c.sink.Queue(frame)
}

func (c *fragileSink) Last([]byte)      { c.end() }
func (c *fragileSink) CloseAfterFlush() { c.end() }
func (c *fragileSink) Close()           { c.end() }

func (c *fragileSink) end() {
	if c.ending != nil {
		c.ending()
	}
}

// dialFragile opens a session on a fragile connection and asks to join "/".
func (r *rig) dialFragile() *fragileSink {
	c := new(fragileSink)
	c.recv = r.srv.host.Engine().Accept(c, 0)
	c.feed(bytes.Clone(handshake), packet("0"))
	return c
}

// runPanics runs the loop and reports whether a task has panicked.
func (r *rig) runPanics() (panicked bool) {
	defer func() { panicked = recover() != nil }()
	r.loop.run()
	return false
}

// wantOnlyEnd checks that the socket has ended and one other has not.
func (r *rig) wantOnlyEnd(t *testing.T, s *Socket, ended <-chan Reason) {
	t.Helper()
	if s.client.sess.Open() {
		t.Fatal("the session is open")
	}
	if ended != nil {
		if reason := <-ended; reason != session.ReasonTransportError {
			t.Errorf("ended with %v", reason)
		}
	}
	if left := r.srv.root.Sockets(); len(left) != 1 || !left[0].client.sess.Open() {
		t.Errorf("%d sockets left", len(left))
	}
}

// A task that panics ends the connection that it belongs to, and no other.
func TestPanicsOfTasks(t *testing.T) {
	for name, send := range map[string]func(s *Socket) error{
		"event": func(s *Socket) error { return s.Emit("x") },
		"event with an acknowledgement": func(s *Socket) error {
			return s.EmitAck(context.Background(), "x", func(Reply, error) {})
		},
		"leaving a room": func(s *Socket) error {
			s.ns.watch.Store(new(roomWatch)) // has nowhere to queue: Limits are nil
			return s.Leave("x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{})
			ended := make(chan Reason, 1)
			r.srv.root.OnDisconnect(func(_ *Socket, reason Reason) { ended <- reason })
			c := r.dialFragile()
			s := r.socket(t)
			if err := s.Join("x"); err != nil {
				t.Fatal(err)
			}
			r.loop.run()
			r.dialSink().feed(packet("0"))
			c.armed = true
			if err := send(s); err != nil {
				t.Fatal(err)
			}
			if !r.runPanics() {
				t.Error("nothing has panicked")
			}
			c.armed = false
			s.ns.watch.Store(nil)
			r.loop.run()
			r.wantOnlyEnd(t, s, ended)
		})
	}
}

// A panic while a socket enters its namespace ends its connection.
func TestPanicOfEntry(t *testing.T) {
	r := newRig(t, Config{})
	ns := r.srv.root
	ns.OnConnect(func(context.Context, *Socket) error { return nil }) // without handlers a socket enters at once
	shard := ns.shards[0]
	c := r.dialFragile()
	waitUntil(10*time.Second, func() bool { return len(ns.Sockets()) == 1 })
	s := ns.Sockets()[0]
	ns.shards[0] = nil
	c.ending = func() { ns.shards[0] = shard }
	if !r.runPanics() {
		t.Error("nothing has panicked")
	}
	ns.shards[0] = shard
	r.dialSink().feed(packet("0"))
	waitUntil(10*time.Second, func() bool { r.loop.run(); return len(ns.Sockets()) == 1 })
	r.wantOnlyEnd(t, s, nil)
}
