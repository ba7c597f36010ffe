package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// small returns a run that takes milliseconds.
func small(url string) Config {
	return Config{
		URL: url, Vocabulary: VocabularyLoad,
		Subscribers: 8, Broadcasts: 20, Size: 64, Stall: 300 * time.Millisecond, Timeout: time.Minute,
	}
}

// measure runs and fails the test when there is no result.
func measure(t *testing.T, cfg Config) *Result {
	t.Helper()
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// wantClean checks a run without faults.
func wantClean(t *testing.T, result *Result) {
	t.Helper()
	if s := result.Summary; !result.OK || s == nil || s.Delivered != s.Expected || s.Expected == 0 {
		t.Fatalf("result not clean: %s", show(result))
	}
	for _, b := range result.Bursts {
		if l := b.Latency; l == nil || l.P50 <= 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max {
			t.Errorf("latency %+v", b.Latency)
		}
		if (b.Rate == nil) == (b.ClientBoundRate == nil) || b.Seconds <= 0 {
			t.Errorf("rate %v, client-bound %v, in %v s", b.Rate, b.ClientBoundRate, b.Seconds)
		}
		if b.Client.Busy < 0 || b.Client.Busy > 1 {
			t.Errorf("busy %v", b.Client.Busy)
		}
	}
}

func show(result *Result) string {
	var b strings.Builder
	result.WriteTable(&b)
	return b.String()
}

func TestRunClean(t *testing.T) {
	chunked := func(body string) string {
		half := len(body) / 2
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nTrailer: x\r\n\r\n",
			half, body[:half], len(body)-half, body[half:])
	}
	closing := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	}
	tests := []struct {
		name   string
		server *fakeServer
		change func(*Config)
	}{
		{"websocket", &fakeServer{}, func(*Config) {}},
		{"websocket, several bursts and loops", &fakeServer{}, func(c *Config) { c.Repeat, c.Workers = 3, 2 }},
		{"websocket, byte by byte", &fakeServer{trickle: true}, func(*Config) {}},
		{"websocket, paced connects", &fakeServer{}, func(c *Config) { c.ConnectRate, c.InFlight = 500, 1 }},
		{"websocket, smallest", &fakeServer{}, func(c *Config) { c.Subscribers, c.Broadcasts, c.Size = 1, 1, 32 }},
		{"whole namespace", &fakeServer{}, func(c *Config) { c.All = true }},
		{"polling", &fakeServer{}, func(c *Config) { c.Transport = TransportPolling }},
		{"polling, chunked", &fakeServer{answer: chunked}, func(c *Config) { c.Transport = TransportPolling }},
		{"polling, a connection per request", &fakeServer{answer: closing, closeAfter: true},
			func(c *Config) { c.Transport = TransportPolling }},
		{"polling, whole namespace", &fakeServer{}, func(c *Config) { c.Transport, c.All = TransportPolling, true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := small(tt.server.start(t))
			tt.change(&cfg)
			result := measure(t, cfg)
			wantClean(t, result)
			if result.Memory == nil || result.Bursts[0].Server == nil {
				t.Errorf("own process not found by its port: %v", result.Notes)
			}
		})
	}
}

func TestRunCountsThePublisherAsReceiverOfPublishAll(t *testing.T) {
	cfg := small((&fakeServer{}).start(t))
	cfg.All = true
	if b := measure(t, cfg).Bursts[0]; b.Receivers != cfg.Subscribers+1 {
		t.Errorf("receivers %d, want %d", b.Receivers, cfg.Subscribers+1)
	}
}

func TestRunUpgrade(t *testing.T) {
	cfg := small((&fakeServer{}).start(t))
	cfg.Transport, cfg.Upgrade, cfg.Repeat = TransportUpgrade, 5, 2
	cfg.Gap = 5 * time.Millisecond
	result := measure(t, cfg)
	wantClean(t, result)
	if len(result.Connects) != 2 {
		t.Errorf("%d connects, want new sessions for each burst", len(result.Connects))
	}
	for _, b := range result.Bursts {
		if u := *b.Upgrades; u.Planned != 5 || u.Done != 5 || u.Failed != 0 {
			t.Errorf("upgrades %+v", u)
		}
	}
}

func TestRunUpgradeRefused(t *testing.T) {
	cfg := small((&fakeServer{refuse: true}).start(t))
	cfg.Transport, cfg.Upgrade = TransportUpgrade, 3
	result := measure(t, cfg)
	b := result.Bursts[0]
	if result.OK || b.Upgrades.Failed != 3 || b.Upgrades.Done != 0 {
		t.Errorf("upgrades %+v, ok %v", b.Upgrades, result.OK)
	}
	// The sessions go on with polling.
	if b.Delivered != b.Expected || b.Missing != 0 {
		t.Errorf("delivered %d of %d", b.Delivered, b.Expected)
	}
	if n := result.Connects[0].Failures["upgrade: websocket upgrade refused: status 400"]; n != 3 {
		t.Errorf("failures %v", result.Connects[0].Failures)
	}
}

// Each fault hits one subscriber once and must be counted exactly once.
func TestRunFindsFaults(t *testing.T) {
	type faults struct{ missing, duplicated, reordered, malformed uint64 }
	type alteration = func(sub, n int, packet string) []string
	at := func(number int, what func(packet string) []string) func() alteration {
		return func() alteration {
			return func(sub, n int, packet string) []string {
				if sub != 2 || n != number {
					return []string{packet}
				}
				return what(packet)
			}
		}
	}
	drop := func(string) []string { return nil }
	swap := func() alteration {
		var held string
		return func(sub, n int, packet string) []string {
			switch {
			case sub != 2 || n < 4 || n > 5:
				return []string{packet}
			case n == 4:
				held = packet
				return nil
			default:
				return []string{packet, held}
			}
		}
	}
	tests := []struct {
		name  string
		alter func() alteration
		want  faults
	}{
		{"missing in the middle", at(7, drop), faults{missing: 1}},
		{"missing at the start", at(0, drop), faults{missing: 1}},
		{"missing at the end", at(19, drop), faults{missing: 1}},
		{"duplicated", at(7, func(p string) []string { return []string{p, p} }), faults{duplicated: 1}},
		{"duplicated after the last", at(19, func(p string) []string { return []string{p, p} }), faults{duplicated: 1}},
		{"reordered", swap, faults{reordered: 1}},
		{"malformed", at(7, func(p string) []string { return []string{p, p[:20] + "?" + p[21:]} }), faults{malformed: 1}},
		{"malformed in place of the message", at(7, func(p string) []string { return []string{p[:20] + "?" + p[21:]} }),
			faults{missing: 1, malformed: 1}},
		{"number beyond the burst", at(7, func(p string) []string {
			return []string{p, "4" + tickPacket(20, 64, 1)}
		}), faults{malformed: 1}},
		{"other event", at(7, func(p string) []string { return []string{p, `42["tock"]`} }), faults{malformed: 1}},
		{"late open packet", at(7, func(p string) []string { return []string{p, `0{"sid":"again"}`} }), faults{malformed: 1}},
	}
	for _, transport := range []Transport{TransportWebSocket, TransportPolling} {
		for _, tt := range tests {
			t.Run(string(transport)+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				cfg := small((&fakeServer{alter: tt.alter()}).start(t))
				cfg.Transport = transport
				result := measure(t, cfg)
				b := result.Bursts[0]
				if got := (faults{b.Missing, b.Duplicated, b.Reordered, b.Malformed}); got != tt.want || result.OK {
					t.Errorf("faults %+v, want %+v; ok %v", got, tt.want, result.OK)
				}
				if b.Delivered+b.Missing != b.Expected || b.Outstanding != 0 {
					t.Errorf("%d delivered, %d outstanding of %d", b.Delivered, b.Outstanding, b.Expected)
				}
				if (b.Malformed > 0) != (b.MalformedExample != "") {
					t.Errorf("example %q", b.MalformedExample)
				}
			})
		}
	}
}

func TestRunLosesASubscriber(t *testing.T) {
	f := &fakeServer{onTick: func(s *fakeSession, sub, n int) {
		if sub == 1 && n == 10 {
			s.end()
		}
	}}
	result := measure(t, small(f.start(t)))
	b, c := result.Bursts[0], result.Connects[0]
	if result.OK || c.Lost != 1 || c.Failures[errTruncated.Error()] != 1 {
		t.Errorf("lost %d, failures %v", c.Lost, c.Failures)
	}
	if b.Missing != 10 || b.Delivered != b.Expected-10 {
		t.Errorf("missing %d, delivered %d of %d", b.Missing, b.Delivered, b.Expected)
	}
}

// What somebody else makes the server publish is not taken for our own.
func TestRunNoticesForeignMessages(t *testing.T) {
	cfg := small((&fakeServer{early: true}).start(t))
	result := measure(t, cfg)
	if result.OK || result.Connects[0].Stray != uint64(cfg.Subscribers) || len(result.Notes) == 0 {
		t.Errorf("stray %d, notes %v", result.Connects[0].Stray, result.Notes)
	}
	if b := result.Bursts[0]; !b.clean() {
		t.Errorf("the burst itself has faults: %+v", b)
	}
}

func TestRunCannotConnect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = Run(t.Context(), small("http://"+l.Addr().String()))
	if !errors.Is(err, ErrConnect) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
}

func TestRunUnknownProcess(t *testing.T) {
	cfg := small((&fakeServer{}).start(t))
	cfg.PIDs = []int{1 << 22} // above the highest possible pid
	if _, err := Run(t.Context(), cfg); err == nil {
		t.Error("no error")
	}
}

func TestRunEndsEarly(t *testing.T) {
	t.Run("interrupted in a burst", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fakeServer{onTick: func(_ *fakeSession, sub, n int) {
			if sub == 0 && n == 5 {
				cancel()
			}
		}}
		cfg := small(f.start(t))
		cfg.Gap, cfg.Stall, cfg.Repeat = 20*time.Millisecond, time.Minute, 3
		result, err := Run(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		b := result.Bursts[0]
		if result.OK || result.Partial != "interrupted" || len(result.Bursts) != 1 {
			t.Errorf("partial %q, %d bursts", result.Partial, len(result.Bursts))
		}
		if b.Missing != 0 || b.Outstanding == 0 || b.Outstanding+b.Delivered != b.Expected {
			t.Errorf("missing %d, outstanding %d, delivered %d of %d", b.Missing, b.Outstanding, b.Delivered, b.Expected)
		}
		// What was half done says nothing about the server.
		if s := result.Summary; s.Rate != nil || s.P50 != nil || s.ClientBusy != nil || s.Delivered != b.Delivered || len(result.Metrics) > 0 {
			t.Errorf("figures of an interrupted burst: %+v, %+v", s, result.Metrics)
		}
	})
	t.Run("timeout while connecting", func(t *testing.T) {
		cfg := small((&fakeServer{silent: true}).start(t))
		cfg.Timeout = 300 * time.Millisecond
		result := measure(t, cfg)
		if result.OK || result.Partial != "timeout of 300ms" || len(result.Bursts) != 0 {
			t.Errorf("partial %q, %d bursts", result.Partial, len(result.Bursts))
		}
		if c := result.Connects[0]; c.Connected != 0 || c.Failed != cfg.Subscribers {
			t.Errorf("connect %+v", c)
		}
	})
}

// A client that was busy all the time must not report the server's rate.
func TestClientBottleneck(t *testing.T) {
	cfg := small("http://127.0.0.1:9").withDefaults()
	target, err := parseTarget(cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	if target, err = target.resolve(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		idle  time.Duration
		bound bool
	}{{50 * time.Millisecond, true}, {500 * time.Millisecond, false}} {
		s, err := openStage(cfg, duty{}, target, nil, newResult(cfg, target))
		if err != nil {
			t.Fatal(err)
		}
		const published = 1_000
		w := s.crews[0].(*agent).workers[0]
		w.call(func() {
			w.tally.begin(windowTicks, 0)
			w.tally.deliver(published, published+int64(time.Second))
			w.tally.blockedAfter, w.tally.settledAt = tt.idle, w.tally.delivered
		})
		var b Burst
		if err := errors.Join(s.fill(&b, published, false), s.close()); err != nil {
			t.Fatal(err)
		}
		if b.Client.Bottleneck != tt.bound || (b.Rate == nil) != tt.bound || (b.ClientBoundRate != nil) != tt.bound {
			t.Errorf("idle %v: %+v", tt.idle, b)
		}
		r := s.result
		r.Bursts = []Burst{b}
		r.finish()
		if got := strings.Contains(show(r), "THE CLIENT IS THE BOTTLENECK"); got != tt.bound {
			t.Errorf("idle %v: table says %v", tt.idle, got)
		}
	}
}
