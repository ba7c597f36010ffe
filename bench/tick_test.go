package bench

import (
	"fmt"
	"strings"
	"testing"
)

func TestTickParse(t *testing.T) {
	plan := newTickPlan(100, 40)
	good := tickPacket(42, 40, 1234567890123456789)
	if n, sent, ok := plan.parse([]byte(good)); !ok || n != 42 || sent != 1234567890123456789 {
		t.Errorf("parse: %d %d %v", n, sent, ok)
	}
	// No byte may be another one, but for the digits.
	for i := range good {
		bad := []byte(good)
		bad[i] ^= 0x80
		if _, _, ok := plan.parse(bad); ok {
			t.Errorf("byte %d is not checked", i)
		}
	}
	for _, bad := range []string{
		"", good[:len(good)-1], good + " ", tickPacket(42, 41, 1), tickPacket(42, 39, 1), tickPacket(100, 40, 1),
		`2["tick", ` + good[len(tickPrefix)-1:],
		strings.Replace(good, "1234567890123456789", "9999999999999999999", 1), // does not fit
	} {
		if _, _, ok := plan.parse([]byte(bad)); ok {
			t.Errorf("%q accepted", bad)
		}
	}
	if n, _, ok := newTickPlan(1, sizeMin).parse([]byte(tickPacket(0, sizeMin, 7))); !ok || n != 0 {
		t.Error("smallest tick refused")
	}
}

func FuzzTickParse(f *testing.F) {
	plan := newTickPlan(1000, 40)
	f.Add([]byte(tickPacket(3, 40, 99)))
	f.Fuzz(func(t *testing.T, p []byte) {
		n, sent, ok := plan.parse(p)
		if ok && tickPacket(n, 40, sent) != string(p) {
			t.Errorf("%q is not %q", p, tickPacket(n, 40, sent))
		}
	})
}

func TestTallyKeepsAnExample(t *testing.T) {
	tally := newTally()
	tally.begin(windowTicks, 0)
	tally.malformedPacket([]byte(strings.Repeat("a", 2*sampleBytes)))
	tally.malformedPacket([]byte("b"))
	if tally.malformed != 2 || tally.example != strings.Repeat("a", sampleBytes) {
		t.Errorf("%d, %q", tally.malformed, tally.example)
	}
}

func TestTallyTakesLatenciesBeyondItsRange(t *testing.T) {
	tally := newTally()
	tally.begin(windowTicks, 0)
	tally.deliver(0, 2*latencyCeiling)
	tally.deliver(10, 5) // from the future
	if tally.latency.TotalCount() != 2 || tally.latencyMax != 2*latencyCeiling || tally.skewed != 1 {
		t.Errorf("%d latencies, max %d, %d skewed", tally.latency.TotalCount(), tally.latencyMax, tally.skewed)
	}
}

// Latencies of several loops are merged, not averaged.
func TestHistogramQuantiles(t *testing.T) {
	a, b := newHistogram(), newHistogram()
	for i := int64(1); i <= 900; i++ {
		a.RecordValue(i * 1000)
	}
	for i := int64(901); i <= 1000; i++ {
		b.RecordValue(i * 1000)
	}
	if dropped := a.Merge(b); dropped != 0 {
		t.Fatalf("%d dropped", dropped)
	}
	for q, want := range map[float64]float64{50: 500, 90: 900, 99: 990, 99.9: 999} {
		got := micros(a.ValueAtPercentile(q))
		if got < want*0.999 || got > want*1.002 {
			t.Errorf("p%v is %v us, want about %v", q, got, want)
		}
	}
}

func ExampleResult_WriteTable() {
	rate := 250000.0
	r := &Result{
		OK:       true,
		Scenario: Scenario{URL: "http://127.0.0.1:3000", Transport: TransportWebSocket, Target: "room", Subscribers: 2, Broadcasts: 3, Size: 128, Repeat: 1, Workers: 1},
		Machine:  Machine{CPUs: 2, Kernel: "6.18", Go: "go1.26", Shared: true},
		Connects: []Connect{{Connected: 2, Seconds: 0.25}},
		Bursts: []Burst{{
			Receivers: 2, Expected: 6, Delivered: 6, Seconds: 0.5, Rate: &rate,
			Latency: &Latency{P50: 100, P90: 200, P99: 300, P999: 400, Max: 500},
			Server:  &ServerCPU{PerMessage: 7.5, UserPerMessage: 0.5, SystemPerMessage: 7},
			Client:  ClientLoad{Busy: 0.25, LagMax: 80},
		}},
	}
	r.Summary = summarize(r.Bursts)
	var text strings.Builder
	r.WriteTable(&text)
	fmt.Print(text.String())
	// Output:
	// server                  http://127.0.0.1:3000
	// subscribers             2 over websocket, 1 client loop(s)
	// burst                   3 broadcasts to the room, 128 bytes, gap 0 us, 1 time(s)
	// client                  2 CPUs, Linux 6.18, go1.26, server on the same machine
	// connected               2 in 0.25 s, 0 failed, 0 lost later
	// delivered               6 of 6
	// faults                  0 missing, 0 duplicated, 0 reordered, 0 malformed
	// burst time              0.500 s
	// messages/s              250000
	// latency p50             100 us
	// latency p90             200 us
	// latency p99             300 us
	// latency p99.9           400 us
	// latency max             500 us
	// server CPU per message  7.50 us
	//   user                  0.50 us
	//   system                7.00 us
	// client CPU per message  0.00 us
	// client loop busy        0.25
	// client loop lag max     80 us
	// machine used by others  0.00
	// verdict                 ok
}

// tickPacket returns a Socket.IO packet as the load profile wants it.
func tickPacket(n, size int, now int64) string {
	text := fmt.Sprintf("#%010d:%019d:", n, now)
	return tickPrefix + text + strings.Repeat("x", size-len(text)) + tickSuffix
}
