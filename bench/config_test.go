package bench

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	tests := []struct {
		change func(*Config)
		want   string // part of the error, "" for none
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.URL = "" }, "url"},
		{func(c *Config) { c.URL = "https://127.0.0.1:1" }, "url"},
		{func(c *Config) { c.Subscribers = -1 }, "subscribers"},
		{func(c *Config) { c.Subscribers = subscribersMax + 1 }, "subscribers"},
		{func(c *Config) { c.Broadcasts = -1 }, "broadcasts"},
		{func(c *Config) { c.Broadcasts = broadcastsMax }, ""},
		{func(c *Config) { c.Broadcasts = broadcastsMax + 1 }, "broadcasts"},
		{func(c *Config) { c.Size = sizeMin }, ""},
		{func(c *Config) { c.Size = sizeMin - 1 }, "size"},
		{func(c *Config) { c.Size = sizeMax + 1 }, "size"},
		{func(c *Config) { c.Gap = -time.Microsecond }, "gap"},
		{func(c *Config) { c.Gap = 1500 * time.Nanosecond }, "gap"},
		{func(c *Config) { c.Gap = gapMax + time.Microsecond }, "gap"},
		{func(c *Config) { c.Transport = "webtransport" }, "transport"},
		{func(c *Config) { c.Upgrade = 1 }, "upgrade"},
		{func(c *Config) { c.Transport = TransportUpgrade }, ""},
		{func(c *Config) { c.Transport, c.Upgrade = TransportUpgrade, 10 }, ""},
		{func(c *Config) { c.Transport, c.Upgrade = TransportUpgrade, 11 }, "upgrade"},
		{func(c *Config) { c.Transport, c.Upgrade = TransportUpgrade, -1 }, "upgrade"},
		{func(c *Config) { c.PIDs = []int{1, 0} }, "pid"},
		{func(c *Config) { c.Repeat = repeatMax + 1 }, "repeat"},
		{func(c *Config) { c.Workers = workersMax + 1 }, "workers"},
		{func(c *Config) { c.ConnectRate = -1 }, "connect-rate"},
		{func(c *Config) { c.InFlight = -1 }, "in-flight"},
		{func(c *Config) { c.Timeout = -1 }, "timeout"},
		{func(c *Config) { c.Stall = -1 }, "stall"},
		{func(c *Config) { c.Kind = "jitter" }, "scenario must be one of fanout, connect"},
		{func(c *Config) { c.Kind, c.URL = KindFloor, "" }, ""},
		{func(c *Config) { c.Kind, c.Transport = KindEcho, TransportUpgrade }, "transport"},
		{func(c *Config) { c.Kind, c.Transport = KindStorm, TransportPolling }, "websocket alone"},
		{func(c *Config) { c.Kind, c.Transport, c.Concurrency = KindEcho, TransportPolling, 11 }, "concurrency"},
		{func(c *Config) { c.Kind, c.Concurrency = KindEcho, 11 }, ""},
		{func(c *Config) { c.Duration = -1 }, "duration"},
		{func(c *Config) { c.Duration = durationMax + 1 }, "duration"},
		{func(c *Config) { c.SlowPercent = 100 }, "slow"},
		{func(c *Config) { c.SlowPercent = -1 }, "slow"},
		{func(c *Config) { c.Members = 11 }, "members"},
		{func(c *Config) { c.Warmup = -1 }, "warmup"},
		{func(c *Config) { c.Rate = -1 }, "rate"},
		{func(c *Config) { c.Processes = 2 }, "command"},
		{func(c *Config) { c.Processes, c.Command = 2, []string{"x"} }, ""},
		{func(c *Config) { c.Processes = processesMax + 1 }, "processes"},
	}
	for i, tt := range tests {
		c := Config{URL: "http://127.0.0.1:1", Subscribers: 10}
		tt.change(&c)
		err := c.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("row %d: error %v, want one about %q", i, err, tt.want)
		}
	}
	c := Config{URL: "x", Size: 1, Repeat: -1}
	if err := c.Validate(); strings.Count(err.Error(), ";") != 2 {
		t.Errorf("not every fault is named: %v", err)
	}
}

func TestConfigDefaults(t *testing.T) {
	c := Config{Transport: TransportUpgrade, Subscribers: 7}.withDefaults()
	if c.Upgrade != 7 || c.Broadcasts != DefaultBroadcasts || c.Repeat != 1 || c.Timeout != DefaultTimeout {
		t.Errorf("%+v", c)
	}
	if n := c.descriptors(); n < 2*7+1 {
		t.Errorf("%d descriptors for upgrades", n)
	}
}

// Upgrades begin one after the other, and in time.
func TestUpgradeTicks(t *testing.T) {
	c := Config{Broadcasts: 100, Upgrade: 10}
	var ticks []int
	for i := range 12 {
		ticks = append(ticks, c.upgradeTick(i))
	}
	want := []int{0, 7, 15, 22, 30, 37, 45, 52, 60, 67, noUpgrade, noUpgrade}
	if !slices.Equal(ticks, want) {
		t.Errorf("%v, want %v", ticks, want)
	}
}

func TestParseTarget(t *testing.T) {
	for raw, want := range map[string]target{
		"http://127.0.0.1:4000":          {host: "127.0.0.1:4000", name: "127.0.0.1", port: 4000, path: defaultPath},
		"http://127.0.0.1:4000/":         {host: "127.0.0.1:4000", name: "127.0.0.1", port: 4000, path: defaultPath},
		"http://localhost/custom-path/":  {host: "localhost", name: "localhost", port: 80, path: "/custom-path/"},
		"http://[::1]:65535/socket.io/?": {host: "[::1]:65535", name: "::1", port: 65535, path: defaultPath},
	} {
		if got, err := parseTarget(raw); err != nil || got != want {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"", "127.0.0.1:4000", "ws://127.0.0.1:4000", "http://", "http://:4000", "http://a:0",
		"http://a:65536", "http://a:x", "http://user@a:1", "http://a:1?b=c", "http://a:1#b", "http://a b:1"} {
		if _, err := parseTarget(raw); !errors.Is(err, errURL) {
			t.Errorf("%q: error %v", raw, err)
		}
	}
}

func TestTargetResolve(t *testing.T) {
	for raw, want := range map[string]string{"http://127.0.0.1:4000": "127.0.0.1:4000", "http://[::1]:4000": "[::1]:4000"} {
		parsed, err := parseTarget(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.resolve(); err != nil || got.addr.String() != want || !got.local() {
			t.Errorf("%s: %v, %v", raw, got.addr, err)
		}
	}
	if (target{addr: netip.MustParseAddrPort("192.0.2.1:80")}).local() {
		t.Error("a documentation address is local")
	}
	if got := (target{path: "/p/"}).query("polling", "a&b"); got != "/p/?EIO=4&transport=polling&sid=a%26b" {
		t.Errorf("query %q", got)
	}
}

func TestSources(t *testing.T) {
	loopback := target{addr: netip.MustParseAddrPort("127.0.0.9:80")}
	s := newSources(loopback, 1)
	s.perAddress = 2
	var got []string
	for range 5 {
		addr, _ := s.next()
		got = append(got, addr.String())
	}
	s.exhausted()
	addr, _ := s.next()
	got = append(got, addr.String())
	want := []string{"127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.4"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for range sourcesMax {
		s.exhausted()
	}
	if s.exhausted() {
		t.Error("never runs out of addresses")
	}
	remote := newSources(target{addr: netip.MustParseAddrPort("192.0.2.1:80")}, 1)
	if _, ok := remote.next(); ok || remote.exhausted() {
		t.Error("binds for a remote server")
	}
}

func TestParsePortRange(t *testing.T) {
	if n, err := parsePortRange("32768\t60999\n"); n != 28232 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for _, bad := range []string{"", "1", "x 2", "1 x", "9 8"} {
		if _, err := parsePortRange(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	if ephemeralPorts() < 1 {
		t.Error("no ports")
	}
}

func TestDialQueue(t *testing.T) {
	subs := []*subscriber{{}, {}, {}}
	q := newDialQueue(Config{InFlight: 2, ConnectRate: 10, Workers: 2}, subs, 1000)
	const each = int64(200 * time.Millisecond) // two workers share ten a second
	if q.pop(1000, 0) != subs[0] || q.pop(1000, 0) != nil {
		t.Error("rate not held at the start")
	}
	if wait, ok := q.due(1000+each/2, 0); !ok || wait != time.Duration(each/2) {
		t.Errorf("due in %v, %v", wait, ok)
	}
	if q.pop(1000+5*each, 2) != nil {
		t.Error("bound of handshakes not held")
	}
	// Late starts are caught up with.
	if q.pop(1000+5*each, 1) != subs[1] || q.pop(1000+5*each, 1) != subs[2] || q.pop(1000+9*each, 0) != nil {
		t.Error("late starts not caught up with, or more than there are")
	}
	q = newDialQueue(Config{InFlight: 2, Workers: 1}, subs, 0)
	if q.pop(0, 0) == nil || q.pop(0, 1) == nil || q.pop(0, 2) != nil {
		t.Error("without a rate the handshakes alone are bounded")
	}
}

func TestFailureReasonsAreBounded(t *testing.T) {
	c := counts{failures: make(map[string]int)}
	for i := range 2 * failuresMax {
		c.failure(errors.New(strings.Repeat("x", i)))
	}
	if len(c.failures) != failuresMax+1 || c.failures["other"] != failuresMax {
		t.Errorf("%d reasons, other %d", len(c.failures), c.failures["other"])
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{4, 1}, Spread{2.5, 1, 4}},
		{[]float64{9, 1, 5}, Spread{5, 1, 9}},
		{[]float64{9, 1, 5, 7}, Spread{6, 1, 9}},
	} {
		if got := spread(tt.values); *got != tt.want {
			t.Errorf("%v: %+v", tt.values, got)
		}
	}
	if spread(nil) != nil {
		t.Error("a median of nothing")
	}
}

func TestSummaryLeavesOutWhatIsNotThere(t *testing.T) {
	fast, bound := 10.0, 99.0
	s := summarize([]Burst{
		{Delivered: 2, Expected: 2, Rate: &fast, Latency: &Latency{P50: 5}},
		{Delivered: 2, Expected: 3, Missing: 1, ClientBoundRate: &bound},
	})
	if s.Rate.Max != 10 || s.ClientBoundRate.Min != 99 || s.P50.Median != 5 || s.PerMessage != nil || s.Missing != 1 || s.Expected != 5 {
		t.Errorf("%+v", s)
	}
	if summarize(nil) != nil {
		t.Error("a summary of nothing")
	}
}

func TestResultOK(t *testing.T) {
	good := func() *Result {
		return &Result{Scenario: Scenario{Repeat: 1}, Connects: []Connect{{Connected: 1}},
			Bursts: []Burst{{Expected: 2, Delivered: 2, Upgrades: &Upgrades{Planned: 1, Done: 1}}}}
	}
	r := good()
	if r.finish(); !r.OK {
		t.Error("a good result is not ok")
	}
	for i, spoil := range []func(*Result){
		func(r *Result) { r.Partial = "interrupted" },
		func(r *Result) { r.Bursts = nil },
		func(r *Result) { r.Connects[0].Failed = 1 },
		func(r *Result) { r.Connects[0].Lost = 1 },
		func(r *Result) { r.Connects[0].Stray = 1 },
		func(r *Result) { r.Bursts[0].Missing = 1 },
		func(r *Result) { r.Bursts[0].Duplicated = 1 },
		func(r *Result) { r.Bursts[0].Reordered = 1 },
		func(r *Result) { r.Bursts[0].Malformed = 1 },
		func(r *Result) { r.Bursts[0].Outstanding = 1 },
		func(r *Result) { r.Bursts[0].Delivered = 1 },
		func(r *Result) { r.Bursts[0].Expected, r.Bursts[0].Delivered = 0, 0 },
		func(r *Result) { r.Bursts[0].Upgrades.Done = 0 },
	} {
		r := good()
		if spoil(r); true {
			r.finish()
		}
		if r.OK || len(r.Reasons) == 0 {
			t.Errorf("row %d is ok", i)
		}
		var out strings.Builder
		if err := r.WriteTable(&out); err != nil || !strings.Contains(out.String(), "FAILED: "+r.Reasons[0]) {
			t.Errorf("row %d does not say why: %v\n%s", i, err, out.String())
		}
	}
}
