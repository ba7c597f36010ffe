package server

import (
	"context"
	"testing"
	"time"
)

// With another parser, a packet has any number of messages. Their bytes count as they come, and what is in excess is
// dropped when the packet is whole.
func TestParsedInExcess(t *testing.T) {
	r := newRig(t, Config{Parser: wordParser{}, Limits: Limits{EventsPerSecond: 3, BytesPerSecond: 150}})
	events := 0
	r.srv.root.On("e", func(context.Context, *Message) { events++ }, Inline())
	c := r.dial()
	feed(c, packet("connect / {}"), packet("end"))
	s := r.socket(t)
	for i, step := range []struct {
		packets []string
		want    int
	}{
		{[]string{"event / e", "1", "end"}, 1},
		{[]string{"event / e", "\"0123456789012345678901234567890123456789\"", "\"0123456789012345678901234567890123456789\"", "\"0123456789012345678901234567890123456789\"", "end"}, 0},
		{[]string{"event / e", "1", "end"}, 1},
		{[]string{"event / e", "1", "end"}, 0},
	} {
		before := events
		for _, p := range step.packets {
			c.Feed(packet(p))
		}
		if n := events - before; n != step.want {
			t.Errorf("step %d: %d events, not %d", i, n, step.want)
		}
	}
	if !s.Connected() {
		t.Error("disconnected")
	}
	r.loop.Advance(time.Second)
	if n := r.srv.Stats().Sessions; n.OverBytes != 1 || n.OverEvents != 1 {
		t.Errorf("counted %d for bytes, %d events", n.OverBytes, n.OverEvents)
	}
}
