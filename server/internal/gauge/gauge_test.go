package gauge

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server/internal/host"
	"github.com/seed58c87869/siren/session"
)

// TestRead shows whose numbers are new: those of loops that have run the probe in time.
func TestRead(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h := host.New(host.Config{
		Session: session.Config{Path: "/engine.io", Logger: log}, Loops: 2, Resolution: time.Millisecond, Jobs: new(atomic.Int64),
		Open: func(*session.Session) session.Client { return nil }, Log: log, EIO: log,
	})
	counters := make([]Counters, 2)
	if all := Read(t.Context(), h, counters, true); all != nil {
		t.Error("a host that has not started has counters:", all)
	}
	loops := []*pollertest.Loop{pollertest.NewLoop(0), pollertest.NewLoop(1)}
	if _, err := h.Attach([]host.Loop{loops[0], loops[1]}, func(session.StreamConn, int) session.Conn { return nil }); err != nil {
		t.Fatal(err)
	}
	counters[0].Broadcasts, counters[1].Connects = 5, 7
	read := func(wait bool, drive ...*pollertest.Loop) []Stats {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var all []Stats
		over := make(chan struct{})
		go func() { defer close(over); all = Read(ctx, h, counters, wait) }()
		for end := time.Now().Add(10 * time.Second); loops[1].Posted() == 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		for _, l := range drive {
			l.RunUntilIdle()
		}
		if len(drive) < len(loops) {
			cancel()
		}
		<-over
		return all
	}
	all := read(true, loops...)
	if len(all) != 2 || all[0].Broadcasts != 5 || all[1].Connects != 7 || all[1].Loop != 1 {
		t.Fatalf("%+v", all)
	}
	counters[0].Broadcasts, counters[1].Connects = 6, 8
	all = read(true, loops[0])
	if all[0].Broadcasts != 6 || all[1].Connects != 7 || all[1].Lag <= 0 {
		t.Errorf("%+v", all)
	}
	loops[1].RunUntilIdle()
	counters[1].Connects = 9
	if all = read(false); all[1].Connects != 8 {
		t.Errorf("%+v", all)
	}
}
