package server

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func benchRig(b testing.TB) *rig { return newRig(b, Config{Queue: Queue{MaxBytes: 1 << 30}}) }

// BenchmarkEmit is one event to one socket, from the call to the connection's queue.
func BenchmarkEmit(b *testing.B) {
	r := benchRig(b)
	s := r.fill(b, 1, "room")[0]
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Emit("tick", 1, "some text")
		r.loop.turn()
	}
}

// BenchmarkBroadcast1000 is one event to a room of 1,000, from the call to the connections' queues.
func BenchmarkBroadcast1000(b *testing.B) {
	r := benchRig(b)
	r.fill(b, 1000, "room")
	op := r.srv.root.To("room")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = op.Emit("tick", 1, "some text")
		r.loop.turn()
	}
}

// BenchmarkSend1000 is the same with an event that was prepared.
func BenchmarkSend1000(b *testing.B) {
	r := benchRig(b)
	r.fill(b, 1000, "room")
	op := r.srv.root.To("room")
	p, err := Prepare("tick", 1, "some text")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = op.EmitPrepared(p)
		r.loop.turn()
	}
}

// BenchmarkInline is one event into an inline handler, from the parsed message.
func BenchmarkInline(b *testing.B) {
	r := benchRig(b)
	s := r.fill(b, 1, "room")[0]
	r.srv.root.On("e", func(context.Context, *Message) {}, Inline())
	data := []byte(`2["e",{"n":1},"some text"]`)
	b.ReportAllocs()
	for b.Loop() {
		s.client.Message(data, false)
	}
}

// BenchmarkQueued is one event through the inbox into a handler on its goroutine.
func BenchmarkQueued(b *testing.B) {
	r := benchRig(b)
	s := r.fill(b, 1, "room")[0]
	done := make(chan struct{})
	r.srv.root.On("e", func(context.Context, *Message) { done <- struct{}{} })
	data := []byte(`2["e",{"n":1},"some text"]`)
	b.ReportAllocs()
	for b.Loop() {
		s.client.Message(data, false)
		<-done
	}
}

// BenchmarkQueuedBatch is the same while the goroutine has work: 256 events at a time.
func BenchmarkQueuedBatch(b *testing.B) {
	r := benchRig(b)
	s := r.fill(b, 1, "room")[0]
	done := make(chan struct{}, 1)
	n := 0
	r.srv.root.On("e", func(context.Context, *Message) {
		if n++; n%256 == 0 {
			done <- struct{}{}
		}
	})
	data := []byte(`2["e",{"n":1},"some text"]`)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.client.Message(data, false)
		if i%256 == 255 {
			<-done
		}
	}
}

// BenchmarkHandleAck is one event with one typed argument and an answer, inline.
func BenchmarkHandleAck(b *testing.B) {
	r := benchRig(b)
	s := r.fill(b, 1, "room")[0]
	Reply1(r.srv.root, "e", func(_ context.Context, _ *Socket, n int) (int, error) { return n + 1, nil }, Inline())
	data := []byte(`21["e",41]`)
	b.ReportAllocs()
	for b.Loop() {
		s.client.Message(data, false)
		r.loop.turn()
	}
}

// BenchmarkRequest is one question to the client and its answer.
func BenchmarkRequest(b *testing.B) {
	r := benchRig(b)
	s := r.fill(b, 1, "room")[0]
	r.srv.waits.Counting.Store(false) // as on a server that listens
	ask, answered := make(chan struct{}), make(chan error)
	go func() {
		for range ask {
			_, err := s.Request(s.Context(), "q", 1)
			answered <- err
		}
	}()
	defer close(ask)
	b.ReportAllocs()
	var id uint64
	var buf []byte
	for b.Loop() {
		ask <- struct{}{}
		for !r.loop.take() {
			runtime.Gosched()
		}
		r.loop.Do(r.loop.work)
		buf = appendAck(buf[:0], id)
		id++
		s.client.Message(buf, false)
		if err := <-answered; err != nil {
			b.Fatal(err)
		}
	}
}

func appendAck(dst []byte, id uint64) []byte {
	dst = append(dst, '3')
	var digits [20]byte
	i := len(digits)
	for ok := true; ok; ok = id > 0 {
		i--
		digits[i] = byte('0' + id%10)
		id /= 10
	}
	return append(append(dst, digits[i:]...), "[1]"...)
}

// TestAllocs: what the hot paths may allocate.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := newRig(t, Config{Queue: Queue{MaxBytes: 1 << 30}, Logger: slog.New(slog.NewTextHandler(new(strings.Builder), nil))})
	s := r.fill(t, 1000, "room")[0]
	few := r.srv.root.To(s.ID())
	if err := s.Join("few"); err != nil {
		t.Fatal(err)
	}
	r.loop.run()
	ns := r.srv.root
	ns.On("inline", func(context.Context, *Message) {}, Inline())
	queued := make(chan struct{})
	ns.On("queued", func(context.Context, *Message) { queued <- struct{}{} })
	p, err := Prepare("tick", 1)
	if err != nil {
		t.Fatal(err)
	}
	args := []any{"text", 1}
	inline, waits, unknown := []byte(`2["inline",1]`), []byte(`2["queued",1]`), []byte(`2["unknown",1]`)
	stray := []byte(`377[]`)
	ofOne := testing.AllocsPerRun(100, func() { _, _ = few.To("few").Emit("tick", args...); r.loop.run() })
	for name, test := range map[string]struct {
		max float64
		fn  func()
	}{
		"broadcast to 1,000: no more than to one":                             {ofOne, func() { _, _ = ns.To("room").Emit("tick", args...); r.loop.run() }},
		"walk to 1,000: the task and its rooms":                               {4, func() { _, _ = ns.To("room").EmitPrepared(p); r.loop.run() }},
		"emit: the frame and the post":                                        {2, func() { _ = s.Emit("tick", args...); r.loop.run() }},
		"emit prepared: the post":                                             {1, func() { _ = s.EmitPrepared(p); r.loop.run() }},
		"inline event: the message":                                           {1, func() { s.client.Message(inline, false) }},
		"queued event: the message, its payload, the inbox and its goroutine": {4, func() { s.client.Message(waits, false); <-queued }},
		"unknown event":                                                       {0, func() { s.client.Message(unknown, false) }},
		"unknown ack":                                                         {0, func() { s.client.Message(stray, false) }},
		"join and leave":                                                      {8, func() { _ = s.Join("x"); s.Leave("x"); r.loop.run() }},
		"debug when it off":                                                   {0, func() { _ = debugs(r.srv.sio) }},
	} {
		if got := testing.AllocsPerRun(100, test.fn); got > test.max {
			t.Errorf("%s: %v allocations, want at most %v", name, got, test.max)
		} else {
			t.Logf("%s: %v", name, got)
		}
	}
}

// TestHeapPerSocket logs what a connected socket in one room takes on the heap, session included.
func TestHeapPerSocket(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("measures memory")
	}
	const n = 10_000
	r := newRig(t, Config{})
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	all := r.fill(t, n, "room")
	perSocket := (heap() - before) / n
	t.Logf("%d bytes for each socket, its session and fake connection", perSocket)
	if perSocket > 3<<10 {
		t.Errorf("%d bytes for each socket", perSocket)
	}
	runtime.KeepAlive(all)
}

// BenchmarkOutgoing1000 is an event to a room of 1,000 in a namespace with a listener for outgoing events: what its
// loop has to do.
func BenchmarkOutgoing1000(b *testing.B) {
	r := benchRig(b)
	r.fill(b, 1000, "room")
	var heard atomic.Int64
	r.srv.root.OnAnyOutgoing(func(*Socket, string, []any) { heard.Add(1) })
	op := r.srv.root.To("room")
	var loop time.Duration
	rounds := int64(0)
	for b.Loop() {
		_, _ = op.Emit("tick", 1, "some text")
		start := time.Now()
		r.loop.run()
		loop += time.Since(start)
		for rounds++; heard.Load() < 1000*rounds; {
			runtime.Gosched()
		}
	}
	b.ReportMetric(float64(loop)/float64(rounds*1000), "loop-ns/receiver")
}
