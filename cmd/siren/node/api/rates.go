package api

import (
	"context"
	"sync"
	"time"

	"github.com/seed58c87869/siren/server"
)

// sampleEvery is how often the rates are taken, probeTime how long that waits for loops that are busy.
const (
	sampleEvery = time.Second
	probeTime   = 500 * time.Millisecond
)

// windows are the times over which rates are told, by their names.
var windows = []struct {
	name  string
	width time.Duration
}{{"1s", time.Second}, {"10s", 10 * time.Second}, {"60s", time.Minute}}

// sample is what the node has counted until a moment. Immutable.
type sample struct {
	at     time.Time
	totals totals
}

// totals are the sums of the loops' counters.
type totals struct {
	receivedPackets, sentPackets, receivedBytes, sentBytes, broadcasts, connects, disconnects uint64
}

func (t *totals) add(l *server.LoopStats) {
	t.receivedPackets += l.ReceivedPackets
	t.sentPackets += l.SentPackets
	t.receivedBytes += l.ReceivedBytes
	t.sentBytes += l.SentBytes
	t.broadcasts += l.Broadcasts
	t.connects += l.Connects
	t.disconnects += l.Disconnects
}

// rates takes a sample each second and keeps those of the last minute. Safe for concurrent use.
type rates struct {
	srv  *server.Server
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	samples []sample // guarded by mu; the oldest first
}

func newRates(srv *server.Server) *rates {
	r := &rates{srv: srv, stop: make(chan struct{})}
	r.done.Go(r.run)
	return r
}

func (r *rates) close() {
	close(r.stop)
	r.done.Wait()
}

func (r *rates) run() {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		r.take()
		select {
		case <-tick.C:
		case <-r.stop:
			return
		}
	}
}

// take takes a sample.
func (r *rates) take() {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	loops := r.srv.LoopStats(ctx)
	if loops == nil {
		return // it has not started
	}
	r.note(newSample(loops, time.Now()))
}

func newSample(loops []server.LoopStats, at time.Time) sample {
	s := sample{at: at}
	for i := range loops {
		s.totals.add(&loops[i])
	}
	return s
}

// note keeps a sample, and forgets what is older than the widest window.
func (r *rates) note(s sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
	first := 0
	for first+1 < len(r.samples) && s.at.Sub(r.samples[first+1].at) >= windows[len(windows)-1].width {
		first++
	}
	r.samples = append(r.samples[:0], r.samples[first:]...)
}

// since returns the sample from which to count up to now for a window: the latest one that is so old, or the oldest of all.
// It is false when there is none.
func (r *rates) since(now time.Time, width time.Duration) (sample, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.samples) == 0 {
		return sample{}, false
	}
	for i := len(r.samples) - 1; i > 0; i-- {
		if now.Sub(r.samples[i].at) >= width {
			return r.samples[i], true
		}
	}
	return r.samples[0], true
}
