package server

import (
	"bytes"
	"context"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/session"
)

// fragileSink is a sink that panics once it is armed, when something is queued.
type fragileSink struct {
	sink
	armed bool
}

func (c *fragileSink) Queue(frame []byte) bool {
	if c.armed {
		panic("on purpose")
	}
	return c.sink.Queue(frame)
}

// A task that panics ends the connection that it was about, and no other.
func TestPanicsOfTasks(t *testing.T) {
	for name, send := range map[string]func(s *Socket) error{
		"event": func(s *Socket) error { return s.Emit("x") },
		"event with an acknowledgement": func(s *Socket) error {
			return s.EmitAck(context.Background(), "x", func(Reply, error) {})
		},
		"event of a plain session": func(s *Socket) error {
			s.client.loop().Post(&engineDelivery{s.client.sess, eio.NewMessage([]byte("x"))})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{})
			ended := make(chan Reason, 1)
			r.srv.root.OnDisconnect(func(_ *Socket, reason Reason) { ended <- reason })
			c := new(fragileSink)
			c.recv = r.srv.engine.Accept(c, 0)
			c.feed(bytes.Clone(handshake), packet("0"))
			s := r.socket(t)
			r.dialSink().feed(packet("0"))
			c.armed = true
			if err := send(s); err != nil {
				t.Fatal(err)
			}
			panicked := false
			func() {
				defer func() { panicked = recover() != nil }()
				r.loop.run()
			}()
			c.armed = false
			r.loop.run()
			if !panicked || s.client.sess.Open() {
				t.Fatalf("panicked %v, open %v", panicked, s.client.sess.Open())
			}
			if reason := <-ended; reason != session.ReasonTransportError {
				t.Errorf("ended with %v", reason)
			}
			if left := r.srv.root.Sockets(); len(left) != 1 || !left[0].client.sess.Open() {
				t.Errorf("%d sockets left", len(left))
			}
		})
	}
}
