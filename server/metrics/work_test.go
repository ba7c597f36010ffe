package metrics_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/metrics"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// scrapeWork is what the event loops do for a scrape: tasks, turns and allocations. A plain value. The means are
// rounded, because a loop may have a task of its own meanwhile.
type scrapeWork struct{ tasks, turns, allocs float64 }

// workOf is the work for one look at all numbers that the loops have: nothing else happens meanwhile.
func workOf(srv *server.Server) scrapeWork {
	const looks = 200
	look := func() {
		_ = srv.LoopStats(context.Background())
		_ = srv.NamespaceStats()
		_ = srv.Stats()
	}
	look()
	before := srv.Stats().Poller
	var mem, memAfter runtime.MemStats
	runtime.ReadMemStats(&mem)
	for range looks {
		look()
	}
	runtime.ReadMemStats(&memAfter)
	after := srv.Stats().Poller
	return scrapeWork{
		math.Round(float64(after.Posts-before.Posts) / looks), math.Round(float64(after.Turns-before.Turns) / looks),
		math.Round(float64(memAfter.Mallocs-mem.Mallocs) / looks),
	}
}

// TestScrapeWork wants each event loop to run one task for a scrape, which no walk continues in a later turn and which
// allocates nothing more, however many sessions and rooms there are: the loops keep their numbers, and do not count.
func TestScrapeWork(t *testing.T) {
	const loops, clients, rooms = 2, 300, 3000
	const allocsMore = 20 // what the runtime may allocate meanwhile; a look at each client would be 300 and more
	r := newRig(t, server.Config{Loops: loops, PingInterval: time.Hour, MaxRooms: rooms}, metrics.Options{}, func(srv *server.Server) {
		server.On1(srv.Of("/"), "join", func(_ context.Context, s *server.Socket, first int) error {
			for i := range rooms / clients {
				if err := s.Join(fmt.Sprint("room-", first+i)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	var few scrapeWork
	for i := range clients {
		p, err := sessiontest.JoinPolling(r.dial(), nil, "/socket.io/")
		if err == nil && i > 0 {
			err = p.Post(fmt.Sprintf(`42["join",%d]`, i*(rooms/clients)))
		}
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			few = workOf(r.srv)
		}
	}
	for end := time.Now().Add(patience); r.srv.Of("/").RoomTotal() < rooms-rooms/clients; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d rooms", r.srv.Of("/").RoomTotal())
		}
	}
	many := workOf(r.srv)
	if few.tasks != loops || many.tasks != loops || few.turns > loops || many.turns > loops || many.allocs > few.allocs+allocsMore {
		t.Errorf("with one client %+v, with many %+v", few, many)
	}
}
