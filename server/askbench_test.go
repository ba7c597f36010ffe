package server

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server/internal/collect"
)

// BenchmarkCallAll1000 is a question to a room of 1,000 and all its answers.
func BenchmarkCallAll1000(b *testing.B) {
	r := benchRig(b)
	all := r.fill(b, 1000, "room")
	op := r.srv.root.To("room")
	done := make(chan error, 1)
	b.ReportAllocs()
	var buf []byte
	for id := uint64(collect.BroadcastIDs); b.Loop(); id++ {
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

// A broadcast with acknowledgements allocates nothing per recipient but one block for all; one without allocates
// nothing more than before, also with room listeners and when there is no cluster.
func TestEmissionAllocations(t *testing.T) {
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
		if err := a.ask(context.Background(), op, "q", args); err != nil {
			t.Error(err)
		}
		r.loop.run()
		a.Finish(collect.ErrAbandoned, collect.OffLoop)
		r.loop.run()
	})
	t.Logf("a broadcast: %v, one with acknowledgements to %d: %v", plain, n, asking)
	if asking > plain+8 {
		t.Errorf("a broadcast with acknowledgements: %v allocations", asking)
	}
}

// endOthers asks all sockets of one room, and returns what it takes to end the others: so many that memory which is
// allocated for other reasons does not count.
func endOthers(b testing.TB, asks, ends int) (bytes uint64, took time.Duration) {
	r := benchRig(b)
	all := r.fill(b, ends+1, "all")
	asked := all[0]
	for range asks {
		if err := r.srv.root.To(asked.id).EmitAck(context.Background(), "q", func([]Reply, error) {}); err != nil {
			b.Fatal(err)
		}
	}
	r.loop.run()
	if n := asked.pendingAcks(); n != asks {
		b.Fatal(n, " pending")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for _, s := range all[1:] {
		s.end(ReasonServerShutdown)
	}
	took = time.Since(begin)
	runtime.ReadMemStats(&after)
	r.srv.waits.End()
	waitUntil(10*time.Second, func() bool { return r.srv.jobs.Load() == 0 })
	return after.TotalAlloc - before.TotalAlloc, took
}

// BenchmarkEndBesidesAsks is the end of 2,000 sockets while 4,000 broadcasts wait for the acknowledgements of others.
func BenchmarkEndBesidesAsks(b *testing.B) {
	var sum time.Duration
	for b.Loop() {
		_, took := endOthers(b, 4000, 2000)
		sum += took
	}
	b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N)/2000, "ns/socket")
}

// A socket that ends looks at what its own client owes: what others owe costs it nothing.
func TestEndIgnoresOthersAcks(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const ends = 500
	alone, _ := endOthers(t, 0, ends)
	beside, _ := endOthers(t, 4000, ends)
	if beside > alone+ends*64 {
		t.Errorf("%d bytes for each socket beside 4,000 pending broadcasts, %d without", beside/ends, alone/ends)
	}
}
