package server

import (
	"context"
	"testing"
	"time"
)

// The windows between a handler's step and its loop's, which real sockets seldom hit.

// A client that drops after its connect handler has begun, and before the loop has let the socket in, is told to the
// disconnect handler, and leaves no count behind.
func TestDropBeforeEntry(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		r := newRig(t, Config{})
		began, gone := make(chan struct{}), make(chan Reason, 2)
		r.srv.root.OnConnect(func(ctx context.Context, s *Socket) error {
			close(began)
			<-ctx.Done()
			if refuses {
				return Refuse("no", nil)
			}
			return nil
		})
		r.srv.root.OnDisconnect(func(_ *Socket, reason Reason) { gone <- reason })
		c := r.dial()
		c.Feed(packet("0"))
		<-began
		if n := r.srv.root.SocketCount(); n != 1 {
			t.Errorf("%d sockets are announced", n)
		}
		c.PeerClose(nil)
		if !refuses {
			if reason := <-gone; reason != ReasonTransportClose {
				t.Error(reason)
			}
		}
		waitUntil(10*time.Second, func() bool { return r.srv.jobs.Load() == 0 })
		r.loop.run()
		if r.srv.root.SocketCount() != 0 || r.srv.root.rooms.Everyone().Count() != 0 || len(gone) != 0 {
			t.Error("something is left", r.srv.root.SocketCount(), r.srv.root.rooms.Everyone().Count(), len(gone))
		}
	}
}

// What was posted to a socket that has ended meanwhile is counted, joins and leaves under way come to nothing.
func TestTasksBehindTheEnd(t *testing.T) {
	r := newRig(t, Config{})
	c, s := r.join(t)
	_ = s.Emit("late")
	if err := s.Join("a", "b"); err != nil {
		t.Error(err)
	}
	s.Leave("b")
	s.Disconnect(false)
	s.Disconnect(true)
	if n, _ := r.srv.root.To("a", s.ID()).Emit("late"); n != 2 {
		t.Errorf("posted for %d", n)
	}
	c.PeerClose(nil)
	r.loop.run()
	if r.srv.root.rooms.Len() != 0 || r.srv.root.rooms.Everyone().Count() != 0 {
		t.Error("rooms are left")
	}
	if n := r.srv.Stats().LateEmits; n != 1 {
		t.Errorf("%d late emits counted, want 1", n)
	}
}

// However often a socket is disconnected, the loop has one task for each kind of it.
func TestDisconnectIsPostedOnce(t *testing.T) {
	r := newRig(t, Config{})
	c, s := r.join(t)
	for range 1000 {
		s.Disconnect(false)
		s.Disconnect(true)
	}
	if n := len(r.loop.tasks); n != 2 {
		t.Errorf("%d tasks", n)
	}
	r.loop.run()
	if closed, _ := c.Closed(); !closed || s.Connected() {
		t.Error("it is still there")
	}
}

// The context of a socket that nobody asks for more than its error costs nothing more.
func TestContextIsLazy(t *testing.T) {
	r := newRig(t, Config{})
	_, s := r.join(t)
	if err := s.Context().Err(); err != nil || s.ctx.State.Load() != nil {
		t.Error(err)
	}
	if _, ok := s.Context().Deadline(); ok {
		t.Error("it has a deadline")
	}
	done := s.Context().Done()
	s.Disconnect(false)
	r.loop.run()
	<-done
	s.ctx.Cancel(ReasonPingTimeout) // the first reason counts
	if context.Cause(s.Context()) != ReasonServerLeft || s.Context().Err() != context.Canceled {
		t.Error(context.Cause(s.Context()))
	}
}
