package api

import (
	"context"
	"sync"
	"time"

	"github.com/seed58c87869/siren/server"
)

// sampleEvery is how often a sample is taken. probeTime is how long that waits for loops that are busy.
const (
	sampleEvery = time.Second
	probeTime   = 500 * time.Millisecond
)

// historyRows is the number of rows that stats can tell: the last ten minutes.
const historyRows = 600

// windows are the times over which rates are told, by their names.
var windows = []struct {
	name  string
	width time.Duration
}{{"1s", time.Second}, {"10s", 10 * time.Second}, {"60s", time.Minute}}

// sample is what the node has counted until a moment, and what it has at that moment. Immutable.
type sample struct {
	at     time.Time
	totals totals
	levels levels
}

// totals are counters since the start: the sums of the loops' counters, and of what was dropped and refused for any
// reason.
type totals struct {
	receivedPackets, sentPackets, receivedBytes, sentBytes, broadcasts, connects, disconnects uint64
	dropped, refused                                                                          uint64
}

// levels are the numbers that go up and down.
type levels struct {
	webSockets, polling, mailbox, memory int
	lag                                  time.Duration // that of the loop which is furthest behind
}

func newSample(loops []server.LoopStats, at time.Time) sample {
	s := sample{at: at}
	for i := range loops {
		l := &loops[i]
		s.totals.add(l)
		s.levels.webSockets += l.WebSockets
		s.levels.polling += l.Polling
		s.levels.mailbox += l.Mailbox
		s.levels.lag = max(s.levels.lag, l.Lag)
	}
	return s
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

// series are the names of the rates and how to find the counter of each.
var series = []struct {
	name string
	of   func(t *totals) uint64
}{
	{"received_packets", func(t *totals) uint64 { return t.receivedPackets }},
	{"sent_packets", func(t *totals) uint64 { return t.sentPackets }},
	{"received_bytes", func(t *totals) uint64 { return t.receivedBytes }},
	{"sent_bytes", func(t *totals) uint64 { return t.sentBytes }},
	{"broadcasts", func(t *totals) uint64 { return t.broadcasts }},
	{"connects", func(t *totals) uint64 { return t.connects }},
	{"disconnects", func(t *totals) uint64 { return t.disconnects }},
}

// perSecond returns how much a counter has grown each second between two samples. A sample that comes early, because the
// one before came late, does not make a peak of one second's events.
func perSecond(of func(t *totals) uint64, then, now *sample) float64 {
	before, after := of(&then.totals), of(&now.totals)
	seconds := now.at.Sub(then.at).Seconds()
	if seconds <= 0 || after <= before {
		return 0
	}
	return float64(after-before) / max(seconds, sampleEvery.Seconds())
}

// history takes a sample each second and keeps the latest ones. Its memory, and the cost of a sample, do not grow. Safe
// for concurrent use.
type history struct {
	take func() (sample, bool)
	stop chan struct{}
	done sync.WaitGroup

	mu sync.Mutex
	// ring has the sample with the number n at n modulo its length. It has one sample more than there are rows, because a
	// row is what happened between two samples. Guarded by mu, as is noted.
	ring  [historyRows + 1]sample
	noted int // samples so far
}

// newHistory begins to take samples. take returns false while there is nothing to sample.
func newHistory(take func() (sample, bool)) *history {
	h := &history{take: take, stop: make(chan struct{})}
	h.done.Go(h.run)
	return h
}

func (h *history) close() {
	close(h.stop)
	h.done.Wait()
}

func (h *history) run() {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if s, ok := h.take(); ok {
			h.note(s)
		}
		select {
		case <-tick.C:
		case <-h.stop:
			return
		}
	}
}

// sample takes a sample of the node. It returns false before the server has started.
func (a *API) sample() (sample, bool) {
	ctx, cancel := context.WithTimeout(a.ctx, probeTime)
	defer cancel()
	loops := a.cfg.Server.LoopStats(ctx)
	if loops == nil {
		return sample{}, false
	}
	s := newSample(loops, time.Now())
	whole := a.cfg.Server.Stats()
	s.totals.dropped = sum(merge(whole.DroppedBy(), a.cfg.Dropped))
	s.totals.refused = sum(merge(whole.RefusedBy(), a.cfg.Refused))
	s.levels.memory = memoryBytes()
	return s, true
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// note keeps a sample in place of the oldest one.
func (h *history) note(s sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring[h.noted%len(h.ring)] = s
	h.noted++
}

// kept returns the numbers of the samples that are kept: from first on, and below h.noted. The caller holds h.mu.
func (h *history) kept() (first int) { return max(0, h.noted-len(h.ring)) }

// since returns the sample from which to count up to now for a window: the latest one that is so old, or the oldest that
// is kept. It is false when there is none.
func (h *history) since(now time.Time, width time.Duration) (sample, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noted == 0 {
		return sample{}, false
	}
	first := h.kept()
	for n := h.noted - 1; n > first; n-- {
		if s := &h.ring[n%len(h.ring)]; now.Sub(s.at) >= width {
			return *s, true
		}
	}
	return h.ring[first%len(h.ring)], true
}

// samples returns copies of the samples, the oldest first.
func (h *history) samples() []sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.kept()
	out := make([]sample, 0, h.noted-first)
	for n := first; n < h.noted; n++ {
		out = append(out, h.ring[n%len(h.ring)])
	}
	return out
}

// appendRows appends a row for each second that is kept, the oldest first.
func (h *history) appendRows(dst []byte) []byte {
	samples := h.samples()
	dst = append(dst, `,"history":[`...)
	for i := 1; i < len(samples); i++ {
		if i > 1 {
			dst = append(dst, ',')
		}
		dst = appendRow(dst, &samples[i-1], &samples[i])
	}
	return append(dst, ']')
}

// appendRow appends what the node had at a sample, and what happened each second since the one before.
func appendRow(dst []byte, then, now *sample) []byte {
	dst = now.at.UTC().AppendFormat(append(dst, `{"time":"`...), timeFormat)
	l := &now.levels
	dst = appendInt(append(dst, `","websocket":`...), l.webSockets)
	dst = appendInt(append(dst, `,"polling":`...), l.polling)
	for _, s := range series {
		dst = append(appendString(append(dst, ','), s.name), ':')
		dst = appendFloat(dst, perSecond(s.of, then, now))
	}
	dst = appendFloat(append(dst, `,"dropped":`...), perSecond(func(t *totals) uint64 { return t.dropped }, then, now))
	dst = appendFloat(append(dst, `,"refused":`...), perSecond(func(t *totals) uint64 { return t.refused }, then, now))
	dst = appendSeconds(append(dst, `,"lag_seconds":`...), l.lag)
	dst = appendInt(append(dst, `,"mailbox":`...), l.mailbox)
	return append(appendInt(append(dst, `,"memory_bytes":`...), l.memory), '}')
}
