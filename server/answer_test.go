package server

import (
	"context"
	"errors"
	"testing"
	"time"
)

// An acknowledgement waits for a loop that is behind, other packets are refused; a handler on the loop never waits.
func TestAnswerWaits(t *testing.T) {
	r := newRig(t, Config{})
	results := make(chan error, 1)
	r.srv.Of("/").On("off", func(_ context.Context, m *Message) { results <- m.Ack(1) })
	r.srv.Of("/").On("on", func(_ context.Context, m *Message) { results <- m.Ack(1) }, Inline())
	c, s := r.join(t)

	r.loop.full.Store(1)
	if err := s.Emit("x"); !errors.Is(err, ErrQueueFull) {
		t.Error(err)
	}
	r.loop.full.Store(7)
	before := c.FrameCount()
	c.Feed(packet(`20["off"]`))
	if err := <-results; err != nil || r.loop.full.Load() != 0 {
		t.Error(err, r.loop.full.Load())
	}
	r.loop.run()
	if n := c.FrameCount() - before; n != 1 {
		t.Errorf("%d answers", n)
	}
	r.loop.full.Store(7)
	c.Feed(packet(`21["on"]`))
	if err := <-results; err != nil || r.loop.full.Load() != 7 {
		t.Error(err, r.loop.full.Load())
	}

	// The end of the socket ends the wait.
	r.loop.full.Store(1 << 40)
	c.Feed(packet(`22["off"]`))
	for r.loop.full.Load() == 1<<40 {
		time.Sleep(time.Millisecond)
	}
	c.PeerClose(nil)
	r.loop.run()
	if err := <-results; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
