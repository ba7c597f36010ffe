package server

import (
	"context"
	"slices"
	"testing"
)

// Packets to one socket have the order of the calls, although an inline handler's answer does not always take the
// mailbox: it does so only if something waits there.
func TestInlineAnswersKeepTheOrderOfCalls(t *testing.T) {
	const event, answer = `2["e"]`, `37["a"]`
	emit := func(m *Message) { _ = m.Socket().Emit("e") }
	ack := func(m *Message) { _ = m.Ack("a") }
	ask := func(c interface{ Feed([]byte) }) { c.Feed(packet(`27["ask"]`)) }
	for _, tc := range []struct {
		name string
		does []func(m *Message)
		// before is called before the client asks; nil: nothing.
		before func(r *rig, s *Socket)
		want   []string
		// posted is what waits in the mailbox when the handler has returned.
		posted int
	}{
		{"an answer alone", []func(*Message){ack}, nil, []string{answer}, 0},
		{"an answer, then an event", []func(*Message){ack, emit}, nil, []string{answer, event}, 1},
		{"an event, then an answer", []func(*Message){emit, ack}, nil, []string{event, answer}, 2},
		{"behind an event of another goroutine", []func(*Message){ack},
			func(_ *rig, s *Socket) { _ = s.Emit("e") }, []string{event, answer}, 2},
		{"an answer from a goroutine that the handler waits for", []func(*Message){func(m *Message) {
			done := make(chan struct{})
			go func() {
				ack(m)
				close(done)
			}()
			<-done
		}}, nil, []string{answer}, 0},
		{"an answer, then a panic", []func(*Message){ack, func(*Message) { panic("a test") }}, nil, []string{answer}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, Config{})
			c := r.dialRecorded()
			c.Feed(packet("0"))
			s := r.socket(t)
			r.srv.root.On("ask", func(_ context.Context, m *Message) {
				for _, do := range tc.does {
					do(m)
				}
			}, Inline())
			if tc.before != nil {
				tc.before(r, s)
			}
			c.TakeFrames()
			ask(c)
			if n := len(r.loop.tasks); n != tc.posted {
				t.Errorf("%d tasks are posted, want %d", n, tc.posted)
			}
			r.loop.run()
			if got := payloads(c); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("in a task before others", func(t *testing.T) {
		r := newRig(t, Config{})
		c := r.dialRecorded()
		c.Feed(packet("0"))
		s := r.socket(t)
		r.srv.root.On("ask", func(_ context.Context, m *Message) { ack(m) }, Inline())
		c.TakeFrames()
		r.loop.PostFunc(func() { ask(c) })
		_ = s.Emit("e")
		r.loop.run()
		if got, want := payloads(c), []string{event, answer}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// All kinds of inline handlers answer, and only once.
func TestInlineHandlersAnswer(t *testing.T) {
	for _, tc := range []struct {
		name     string
		register func(ns *Namespace)
		want     string
	}{
		{"a result", func(ns *Namespace) {
			Reply0(ns, "ask", func(context.Context, *Socket) (string, error) { return "a", nil }, Inline())
		}, `37["a"]`},
		{"no result", func(ns *Namespace) {
			On0(ns, "ask", func(context.Context, *Socket) error { return nil }, Inline())
		}, `37[]`},
		{"an error", func(ns *Namespace) {
			On0(ns, "ask", func(context.Context, *Socket) error { return Refuse("no", nil) }, Inline())
		}, `37[{"error":"no"}]`},
		{"an answer that is kept", func(ns *Namespace) {
			OnAck0(ns, "ask", func(_ context.Context, _ *Socket, ack Ack) error { return ack("a") }, Inline())
		}, `37["a"]`},
		{"the answer of two handlers", func(ns *Namespace) {
			for _, text := range []string{"a", "b"} {
				ns.On("ask", func(_ context.Context, m *Message) { _ = m.Ack(text) }, Inline())
			}
		}, `37["a"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, Config{})
			tc.register(r.srv.root)
			c := r.dialRecorded()
			c.Feed(packet("0"))
			r.socket(t)
			c.TakeFrames()
			c.Feed(packet(`27["ask"]`))
			r.loop.run()
			if got := payloads(c); !slices.Equal(got, []string{tc.want}) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
