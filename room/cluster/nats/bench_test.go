package nats

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/nats/natstest"
)

// windowMax is how many messages may be on their way.
const windowMax = 5000

// BenchmarkPublish sends events of 200 bytes from one node to another through a real broker, as fast as both take them.
func BenchmarkPublish(b *testing.B) {
	for _, rooms := range []string{"rooms=dynamic", "rooms=pattern"} {
		b.Run(strings.TrimPrefix(rooms, "rooms="), func(b *testing.B) {
			srv := natstest.Start(b, natstest.Options{})
			var got atomic.Int64
			from, err := New(Config{URL: srv.URL(rooms)})
			if err != nil {
				b.Fatal(err)
			}
			defer from.Close()
			to, err := New(Config{URL: srv.URL(rooms)})
			if err != nil {
				b.Fatal(err)
			}
			defer to.Close()
			_ = from.Subscribe("/", func(*cluster.Message) {})
			_ = to.Subscribe("/", func(*cluster.Message) { got.Add(1) })
			to.RoomCreated("/", "room")
			if err := errors.Join(from.Ready(b.Context()), to.Ready(b.Context()), to.RoomReady(b.Context(), "/", "room")); err != nil {
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
