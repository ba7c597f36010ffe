package host

import (
	"log/slog"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
)

// The limit of a connection lies above all that a session may queue, in the connection's own measure: a session within
// its limits is never cut by its connection, on whatever transport the queue has grown.
func TestConnectionsHoldWhatSessionsMayQueue(t *testing.T) {
	for _, c := range []Config{
		{MaxResponse: 16 << 20, Session: session.Config{MaxPayload: 1_000_000, QueueBytes: 4 << 20}},
		{MaxResponse: 1 << 20, Session: session.Config{MaxPayload: 1_000_000, QueueBytes: 4 << 20}},
		{MaxResponse: 1, Session: session.Config{MaxPayload: 1000, QueueBytes: 8 << 20}},
		{MaxResponse: 16 << 20, Session: session.Config{MaxPayload: 32 << 20, QueueBytes: 4 << 20}},
	} {
		need := c.Session.QueueBytes + session.DefaultQueueFrames*stream.FrameOverhead
		if got := queueBytes(&c); got < need || got < c.MaxResponse || got < c.Session.MaxPayload {
			t.Errorf("%d bytes for a connection, a session may queue %d", got, need)
		}
	}
}

// The poller gets the times and limits that are its own to keep.
func TestPollerConfig(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	h := New(Config{
		WriteTimeout: time.Hour, MaxConns: 7, Loops: 2, Backlog: 9, UnixMode: 0o600, Resolution: time.Millisecond, Log: log, EIO: log,
	})
	c := h.pollerConfig([]string{"a"})
	if c.WriteTimeout != time.Hour || c.MaxConns != 7 || c.Loops != 2 || c.Backlog != 9 || c.UnixMode != 0o600 ||
		c.TimerResolution > time.Millisecond || c.Logger != log || len(c.Addrs) != 1 {
		t.Errorf("%+v", c)
	}
}
