package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// latencyCeiling is the largest latency that is told apart, in ns.
	latencyCeiling = int64(10 * time.Minute)
	// histogramDigits is the precision of the histograms.
	histogramDigits = 3
	// sampleBytes is how much of a malformed packet is kept as an example.
	sampleBytes = 96
)

// windowKind says what a tally counts: the deliveries of a measuring window.
type windowKind string

const (
	windowTicks      windowKind = "ticks"
	windowHandshakes windowKind = "handshakes"
	windowEchoes     windowKind = "echoes"
	windowGame       windowKind = "game"
	windowUpgrades   windowKind = "upgrades"
	windowIdle       windowKind = "idle"
)

// tally is what one worker saw in one burst; loop-owned, times are clock
// times in ns.
type tally struct {
	kind            windowKind
	expected        uint64 // what shall be delivered, where it is counted here
	delivered       uint64 // ticks that came, each counted once
	overPolling     uint64 // those of them that came by long-polling
	duplicated      uint64
	reordered       uint64
	malformed       uint64
	skewed          uint64 // ticks from the future: the clocks differ
	upgradedInBurst int
	latency         *hdrhistogram.Histogram
	latencyMax      int64
	lag             *hdrhistogram.Histogram // length of the loop's rounds
	lagMax          int64
	lastReceived    int64
	blockedBefore   time.Duration // of the worker, when the burst began
	blockedAfter    time.Duration // of the worker, after its last tick
	settledAt       uint64        // delivered, when blockedAfter was noted
	example         string        // the first malformed packet
	active          bool
}

// newTally returns an empty tally.
func newTally() tally {
	return tally{latency: newHistogram(), lag: newHistogram()}
}

// newHistogram returns a histogram of ns.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, latencyCeiling, histogramDigits)
}

// begin empties the tally for a burst that starts now.
func (t *tally) begin(kind windowKind, blocked time.Duration) {
	latency, lag := t.latency, t.lag
	latency.Reset()
	lag.Reset()
	*t = tally{kind: kind, latency: latency, lag: lag, blockedBefore: blocked, blockedAfter: blocked, active: true}
}

// counts reports whether deliveries of that kind belong to the window.
func (t *tally) counts(kind windowKind) bool { return t.active && t.kind == kind }

// deliver notes one tick, or whatever else the window counts.
func (t *tally) deliver(sent, now int64) {
	t.delivered++
	t.lastReceived = now
	latency := now - sent
	if latency < 0 {
		t.skewed++
		latency = 0
	}
	t.latencyMax = max(t.latencyMax, latency)
	// The ceiling keeps RecordValue from failing.
	_ = t.latency.RecordValue(min(latency, latencyCeiling))
}

// malformedPacket notes a packet that should not have come.
func (t *tally) malformedPacket(p []byte) {
	t.malformed++
	if t.example == "" {
		t.example = string(p[:min(len(p), sampleBytes)])
	}
}

// round notes one round of the loop and, if it brought ticks, how long the
// loop had been blocked until then.
func (t *tally) round(length int64, blocked time.Duration) {
	if t.settledAt == t.delivered {
		return
	}
	t.settledAt = t.delivered
	t.blockedAfter = blocked
	t.lagMax = max(t.lagMax, length)
	_ = t.lag.RecordValue(min(max(length, 0), latencyCeiling))
}
