package redis

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// windowMax is how many messages may be on their way: a stream keeps about ten thousand.
const windowMax = 5000

// BenchmarkPublish sends events of 200 bytes from one node to another through a real broker, as fast as the broker
// takes them.
func BenchmarkPublish(b *testing.B) {
	for _, query := range []string{"adapter=classic", "adapter=sharded&mode=static", "adapter=streams"} {
		b.Run(strings.TrimPrefix(query, "adapter="), func(b *testing.B) {
			srv := redistest.Start(b)
			var got atomic.Int64
			from, err := New(Config{URL: srv.URL(query)})
			if err != nil {
				b.Fatal(err)
			}
			defer from.Close()
			to, err := New(Config{URL: srv.URL(query)})
			if err != nil {
				b.Fatal(err)
			}
			defer to.Close()
			_ = from.Subscribe("/", func(*cluster.Message) {})
			_ = to.Subscribe("/", func(*cluster.Message) { got.Add(1) })
			if err := errors.Join(from.Ready(b.Context()), to.Ready(b.Context())); err != nil {
				b.Fatal(err)
			}
			m := brokertest.Event(from, `["event",1,"`+strings.Repeat("x", 200)+`"]`, "room")
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				for int64(i)-got.Load() > windowMax {
					time.Sleep(100 * time.Microsecond)
				}
				if err := from.Publish(m); err != nil {
					b.Fatal(err)
				}
			}
			for got.Load() < int64(b.N) {
				if to.Stats().DroppedBehind > 0 {
					b.Fatal(to.Stats())
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}
