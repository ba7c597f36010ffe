package server

import (
	"context"
	"testing"
)

// BenchmarkCallAll1000 is a question to a room of 1,000 and all its answers.
func BenchmarkCallAll1000(b *testing.B) {
	r := benchRig(b)
	all := r.fill(b, 1000, "room")
	op := r.srv.root.To("room")
	done := make(chan error, 1)
	b.ReportAllocs()
	var buf []byte
	for id := uint64(broadcastAcks); b.Loop(); id++ {
		if err := op.EmitAck(context.Background(), "q", func(_ []Reply, err error) { done <- err }, 1); err != nil {
			b.Fatal(err)
		}
		r.loop.run()
		buf = appendAck(buf[:0], id)
		for _, s := range all {
			s.client.Message(buf, false)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSocketsJoinLeave1000 puts 1,000 sockets into a room and takes them out.
func BenchmarkSocketsJoinLeave1000(b *testing.B) {
	r := benchRig(b)
	r.fill(b, 1000, "room")
	op := r.srv.root.To("room")
	b.ReportAllocs()
	for b.Loop() {
		_ = op.SocketsJoin("other")
		_ = op.SocketsLeave("other")
		r.loop.run()
	}
}

// N9: a broadcast with acknowledgements allocates per recipient nothing but its place in the map that waits for them;
// one without allocates nothing more than before, also with room listeners and when there is no cluster.
func TestN9Allocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n = 1000
	r := newRig(t, Config{Queue: Queue{MaxBytes: 1 << 30}})
	r.fill(t, n, "room")
	op := r.srv.root.To("room")
	r.srv.root.OnRoom(func(RoomEvent) {})
	args := []any{"text", 1}
	plain := testing.AllocsPerRun(50, func() { _, _ = op.Emit("tick", args...); r.loop.run() })
	if plain > 7 {
		t.Errorf("a broadcast: %v allocations", plain)
	}
	asking := testing.AllocsPerRun(50, func() {
		a := newAsk(r.srv.root)
		if err := a.begin(context.Background(), op, "q", args); err != nil {
			t.Error(err)
		}
		r.loop.run()
		a.finish(errAbandoned)
	})
	t.Logf("a broadcast: %v, one with acknowledgements to %d: %v", plain, n, asking)
	if asking > n/10 {
		t.Errorf("a broadcast with acknowledgements: %v allocations", asking)
	}
}
