package bench

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// find returns a figure of the result.
func find(t *testing.T, r *Result, name string) Metric {
	t.Helper()
	for _, m := range r.Metrics {
		if m.Name == name {
			return m
		}
	}
	t.Errorf("no figure %q in:\n%s", name, show(r))
	return Metric{}
}

// hasCurve checks that a curve is there and has points.
func hasCurve(t *testing.T, r *Result, name string) {
	t.Helper()
	if !slices.ContainsFunc(r.Curves, func(c Curve) bool { return c.Name == name && len(c.Points) > 1 }) {
		t.Errorf("no curve %q", name)
	}
}

// quick returns a run of any kind that takes little time.
func quick(url string, kind Kind) Config {
	c := small(url)
	c.Kind, c.Duration, c.Repeat = kind, 100*time.Millisecond, 2
	return c
}

// Every scenario comes to its end against a server without faults, with a
// floor and without.
func TestScenarios(t *testing.T) {
	tests := []struct {
		name    string
		kind    Kind
		change  func(*Config)
		figures []string // which have a floor where there is one
		plain   []string
		curves  []string
	}{
		{name: "fanout", kind: KindFanout, figures: []string{"server CPU per message"}, curves: []string{"latency"}},
		{name: "connect", kind: KindConnect, figures: []string{"server CPU per handshake"},
			plain: []string{"server CPU per disconnect"}, curves: []string{"handshake latency"}},
		{name: "connect by polling", kind: KindConnect, change: func(c *Config) { c.Transport = TransportPolling },
			figures: []string{"server CPU per handshake"}},
		{name: "idle", kind: KindIdle, plain: []string{"server RSS", "sessions lost", "heartbeats answered"},
			curves: []string{"server memory while idle", "sessions while idle"}},
		{name: "echo", kind: KindEcho, figures: []string{"server CPU per round trip"}, plain: []string{"latency p99"},
			curves: []string{"round trip latency"}},
		{name: "echo, more in flight than sessions", kind: KindEcho, change: func(c *Config) { c.Concurrency = 30 },
			figures: []string{"server CPU per round trip"}},
		{name: "echo, one in flight", kind: KindEcho, change: func(c *Config) { c.Concurrency, c.Workers = 1, 2 },
			figures: []string{"server CPU per round trip"}},
		{name: "echo, open loop", kind: KindEcho, change: func(c *Config) { c.Rate, c.Workers = 500, 2 },
			figures: []string{"server CPU per round trip", "latency p50"}},
		{name: "echo by polling", kind: KindEcho, change: func(c *Config) { c.Transport = TransportPolling },
			figures: []string{"server CPU per round trip"}},
		{name: "echo by polling, open loop", kind: KindEcho,
			change: func(c *Config) { c.Transport, c.Rate = TransportPolling, 200 }, plain: []string{"server CPU per round trip"}},
		{name: "polling", kind: KindPolling, change: func(c *Config) { c.Gap = 2 * time.Millisecond },
			figures: []string{"polling: server CPU per handshake", "broadcast: server CPU per message", "POST: server CPU per round trip"}},
		{name: "upgrade", kind: KindUpgrade, change: func(c *Config) { c.Gap = 2 * time.Millisecond },
			figures: []string{"at rest: server CPU per upgrade"}, plain: []string{"with messages: server CPU per upgrade"},
			curves: []string{"upgrade latency at rest"}},
		{name: "storm", kind: KindStorm, figures: []string{"server CPU per return", "time to full"},
			plain: []string{"sessions served after the storm"}, curves: []string{"sessions back after the cut"}},
		{name: "slow", kind: KindSlow, change: func(c *Config) { c.Gap = time.Millisecond },
			plain: []string{"latency p99 of the others", "slow sessions that caught up"}, curves: []string{"latency of the others"}},
		{name: "rooms", kind: KindRooms, change: func(c *Config) { c.Members = 2 },
			figures: []string{"2 members: server CPU per message", "8 members: server CPU per message", "dearest size over cheapest"},
			curves:  []string{"cost over members"}},
		{name: "game", kind: KindGame, change: func(c *Config) { c.Members, c.Rate, c.Workers = 3, 50, 2 },
			plain: []string{"server CPU per message", "latency p99"}, curves: []string{"latency"}},
	}
	for _, tt := range tests {
		for _, floor := range []bool{false, true} {
			name := tt.name
			if floor {
				name += ", with floor"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cfg := quick((&fakeServer{}).start(t), tt.kind)
				cfg.Floor, cfg.Command = floor, childCommand(t)
				if tt.change != nil {
					tt.change(&cfg)
				}
				result := measure(t, cfg)
				if !result.OK {
					t.Fatalf("not ok:\n%s", show(result))
				}
				for _, name := range tt.figures {
					if m := find(t, result, name); len(m.Samples) == 0 || floor && m.Floor <= 0 || !floor && m.Floor != 0 {
						t.Errorf("%+v\n%s", m, show(result))
					}
				}
				for _, name := range tt.plain {
					find(t, result, name)
				}
				for _, name := range tt.curves {
					hasCurve(t, result, name)
				}
			})
		}
	}
}

func TestFloorAlone(t *testing.T) {
	t.Parallel()
	cfg := quick("", KindFloor)
	cfg.Command, cfg.Repeat, cfg.Gap = childCommand(t), 1, time.Millisecond
	cfg.Stall = time.Minute // nothing goes missing, so only a busy machine stands still
	result := measure(t, cfg)
	if !result.OK {
		t.Fatalf("not ok:\n%s", show(result))
	}
	for _, name := range []string{"paced: server CPU per message", "burst, one per send: server CPU per message",
		"burst, up to 16 per send: server CPU per message", "echo: server CPU per round trip", "accept: server CPU per handshake"} {
		if m := find(t, result, name); m.Value <= 0 {
			t.Errorf("%+v", m)
		}
	}
	cfg.Command = nil
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("without a command: %v", err)
	}
}

func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{KindFanout, KindEcho, KindStorm, KindGame} {
		cfg := quick((&fakeServer{}).start(t), kind)
		cfg.Processes, cfg.Command, cfg.Repeat = 3, childCommand(t), 1
		result := measure(t, cfg)
		if !result.OK || result.Scenario.Processes != 3 {
			t.Errorf("%s:\n%s", kind, show(result))
		}
		if kind == KindFanout && result.Summary.Expected != uint64(cfg.Subscribers*cfg.Broadcasts) {
			t.Errorf("%d deliveries expected", result.Summary.Expected)
		}
	}
}

func TestSeveralProcessesOnFaultyServer(t *testing.T) {
	t.Parallel()
	f := &fakeServer{alter: func(sub, n int, packet string) []string {
		if sub == 4 && n == 3 {
			return nil
		}
		return []string{packet}
	}}
	cfg := small(f.start(t))
	cfg.Processes, cfg.Command = 2, childCommand(t)
	if b := measure(t, cfg).Bursts[0]; b.Missing != 1 || b.Delivered != b.Expected-1 || b.Latency == nil {
		t.Errorf("%+v", b)
	}
}

// Each fault of an echo is told.
func TestEchoFaults(t *testing.T) {
	at := func(what func(string) []string) func(int, string) []string {
		return func(n int, answer string) []string {
			if n != 20 {
				return []string{answer}
			}
			return what(answer)
		}
	}
	for name, tt := range map[string]struct {
		echo func(int, string) []string
		want string
	}{
		"missing":    {at(func(string) []string { return nil }), "1 missing, 0 duplicated, 0 reordered, 0 malformed"},
		"wrong text": {at(func(a string) []string { return []string{a, strings.Replace(a, "xx", "xy", 1)} }), "0 missing, 0 duplicated, 0 reordered, 1 malformed"},
		"wrong id":   {at(func(a string) []string { return []string{"431[]", a} }), "1 malformed"},
		"no id":      {at(func(a string) []string { return []string{`43["x"]`, a} }), "1 malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quick((&fakeServer{echo: tt.echo}).start(t), KindEcho)
			// Others must be in flight when the answer comes, so that it is
			// looked at as one.
			cfg.Concurrency, cfg.Repeat = 32, 1
			result := measure(t, cfg)
			if result.OK || !slices.ContainsFunc(result.Problems, func(p string) bool { return strings.Contains(p, tt.want) }) {
				t.Errorf("problems %q", result.Problems)
			}
		})
	}
}

func TestStormRetries(t *testing.T) {
	t.Parallel()
	var refuse atomic.Int32
	f := &fakeServer{admit: func(n int) bool { return n < 8 || refuse.Add(1) > 3 }}
	cfg := quick(f.start(t), KindStorm)
	cfg.Repeat = 1
	result := measure(t, cfg)
	if !result.OK || find(t, result, "failed attempts").Value != 3 || find(t, result, "sessions served after the storm").Value != 8 {
		t.Errorf("\n%s", show(result))
	}
}

func TestSlowSessionsThatTheServerEnds(t *testing.T) {
	t.Parallel()
	var burst atomic.Int32
	f := &fakeServer{onTick: func(s *fakeSession, sub, n int) {
		if sub == 0 && n == 10 && burst.Add(1) == 2 {
			s.end()
		}
	}}
	cfg := quick(f.start(t), KindSlow)
	// Without a gap the client is busy all the time, and the scenario says so.
	cfg.Gap = time.Millisecond
	// A single slow session is the first to be opened; one worker with one
	// handshake at a time keeps the order.
	cfg.Repeat, cfg.InFlight, cfg.SlowPercent = 1, 1, 1
	result := measure(t, cfg)
	if find(t, result, "slow sessions").Value != 1 || find(t, result, "slow sessions that the server disconnected").Value != 1 {
		t.Errorf("\n%s", show(result))
	}
	if !result.OK {
		t.Errorf("not ok:\n%s", show(result))
	}
}

func TestUpgradeScenarioRefused(t *testing.T) {
	t.Parallel()
	cfg := quick((&fakeServer{refuse: true}).start(t), KindUpgrade)
	cfg.Repeat = 1
	result := measure(t, cfg)
	if result.OK || !slices.Contains(result.Problems, "0 of 8 sessions upgraded at rest") {
		t.Errorf("problems %q", result.Problems)
	}
}

func TestScenariosWithoutServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, kind := range kinds {
		if kind == KindFloor {
			continue
		}
		if _, err := Run(t.Context(), quick("http://"+l.Addr().String(), kind)); !errors.Is(err, ErrConnect) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestScenarioEndsEarly(t *testing.T) {
	t.Parallel()
	cfg := quick((&fakeServer{}).start(t), KindIdle)
	cfg.Duration, cfg.Timeout = time.Hour, 700*time.Millisecond
	result := measure(t, cfg)
	if result.OK || result.Partial != "timeout of 700ms" {
		t.Errorf("partial %q", result.Partial)
	}
}

func TestProgressIsTold(t *testing.T) {
	t.Parallel()
	cfg := quick((&fakeServer{}).start(t), KindFanout)
	cfg.Warmup = 1
	var phases []string
	cfg.Progress = func(p Progress) {
		phase, done, total := p.Phase, p.Done, p.Total
		if done < 0 || done > total {
			t.Errorf("%s: %d of %d", phase, done, total)
		}
		if !slices.Contains(phases, phase) {
			phases = append(phases, phase)
		}
	}
	measure(t, cfg)
	want := []string{"connecting", "messages, warm-up 1 of 1", "messages, round 1 of 2", "messages, round 2 of 2"}
	if !slices.Equal(phases, want) {
		t.Errorf("phases %q", phases)
	}
}

// An interrupted round is in no median, whatever the scenario. A storm is over too soon to be interrupted.
func TestInterruptedRoundsHaveNoFigures(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{KindFanout, KindConnect, KindIdle, KindEcho, KindSlow, KindRooms, KindGame} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := quick((&fakeServer{}).start(t), kind)
			// The second round is cut off in its middle: the first one has all the figures.
			cfg.Gap, cfg.Duration, cfg.Rate, cfg.ConnectRate = 10*time.Millisecond, 200*time.Millisecond, 20, 20
			cfg.Progress = func(p Progress) {
				phase, done, total := p.Phase, p.Done, p.Total
				if strings.HasSuffix(phase, "round 2 of 2") && done > 0 && done < total && !strings.HasPrefix(phase, "connecting") {
					cancel()
				}
			}
			result, err := Run(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if result.OK || result.Partial != "interrupted" {
				t.Fatalf("not interrupted:\n%s", show(result))
			}
			for _, m := range result.Metrics {
				if len(m.Samples) > 1 {
					t.Errorf("%s has %d samples", m.Name, len(m.Samples))
				}
			}
		})
	}
}
