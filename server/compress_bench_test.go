package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// fillPacked is fill with clients that offer permessage-deflate.
func (r *rig) fillPacked(t testing.TB, n int, room string) {
	t.Helper()
	offer := bytes.Replace(handshake, []byte("\r\n\r\n"), []byte("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), 1)
	for range n {
		c := new(sink)
		c.recv = r.srv.host.Engine().Accept(c, 0)
		c.feed(bytes.Clone(offer), packet("0"))
	}
	r.loop.run()
	for _, s := range r.srv.root.Sockets() {
		if !s.client.sess.Deflates() {
			t.Fatal("not compressed")
		}
		if err := s.Join(room); err != nil {
			t.Fatal(err)
		}
	}
	r.loop.run()
}

// BenchmarkBroadcastPacked1000 is one event of 4 KB to a room of 1,000, from the call to the connections' queues,
// compressed or not.
func BenchmarkBroadcastPacked1000(b *testing.B) {
	text := strings.Repeat(`{"id":12345,"name":"somebody","value":0.25},`, 4096/44)
	for _, on := range []bool{false, true} {
		b.Run(fmt.Sprint(on), func(b *testing.B) {
			r := newRig(b, Config{Queue: Queue{MaxBytes: 1 << 30}, PerMessageDeflate: PerMessageDeflate{Enabled: on}})
			if on {
				r.fillPacked(b, 1000, "room")
			} else {
				r.fill(b, 1000, "room")
			}
			op := r.srv.root.To("room")
			b.ReportAllocs()
			for b.Loop() {
				_, _ = op.Emit("tick", text)
				r.loop.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/recipient")
		})
	}
}

// Compression costs a broadcast something once, and its recipients no allocation.
func TestBroadcastAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	text := strings.Repeat("compressible ", 200)
	cost := func(n int) float64 {
		r := newRig(t, Config{Queue: Queue{MaxBytes: 1 << 30}, PerMessageDeflate: PerMessageDeflate{Enabled: true}})
		r.fillPacked(t, n, "room")
		op := r.srv.root.To("room")
		return testing.AllocsPerRun(100, func() { _, _ = op.Emit("tick", text); r.loop.run() })
	}
	if one, many := cost(1), cost(200); many > one+2 {
		t.Errorf("%v allocations for 200 sockets, %v for one", many, one)
	}
}
