package server

import (
	"testing"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
)

// The limit of a connection lies above all that a session may queue, in the connection's own measure: a session within its
// limits is never cut by its connection, on whatever transport the queue has grown.
func TestConnectionsHoldWhatSessionsMayQueue(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{MaxResponse: 1 << 20},
		{MaxResponse: 1, MaxPayload: 1000, Queue: Queue{MaxBytes: 8 << 20}},
		{MaxPayload: 32 << 20, Inbox: Inbox{MaxBytes: 64 << 20}},
	} {
		cfg, err := cfg.settle()
		if err != nil {
			t.Fatal(err)
		}
		sc := cfg.session()
		need := sc.QueueBytes + session.DefaultQueueFrames*stream.FrameOverhead
		if got := queueBytes(&cfg); got < need || got < cfg.MaxResponse || got < cfg.MaxPayload {
			t.Errorf("%d bytes for a connection, a session may queue %d", got, need)
		}
	}
}
