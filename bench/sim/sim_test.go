package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/bench"
)

func small() Config {
	return Config{Conns: 1500, Loops: 2, Rooms: 20, Churn: 50 * time.Millisecond, GOGC: 50, MemoryLimit: 1 << 30}
}

// value finds a figure.
func value(t *testing.T, r *bench.Result, name string) float64 {
	t.Helper()
	i := slices.IndexFunc(r.Metrics, func(m bench.Metric) bool { return m.Name == name })
	if i < 0 {
		t.Errorf("no figure %q", name)
		return math.NaN()
	}
	return r.Metrics[i].Value
}

func TestRun(t *testing.T) {
	cfg := small()
	phases := map[string]bool{}
	cfg.Progress = func(phase string, done, total int) {
		phases[phase] = true
		if done < 0 || done > total {
			t.Errorf("%s: %d of %d", phase, done, total)
		}
	}
	cfg.ProfileDir = filepath.Join(t.TempDir(), "profiles")
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Partial != "" || len(r.Problems) > 0 {
		t.Fatalf("partial %q, problems %q", r.Partial, r.Problems)
	}
	for _, name := range []string{
		"memory: live heap per connection", "memory: fake connection, subtracted above",
		"broadcast to all: CPU per member", "broadcast to one room: CPU per member",
		"broadcast to one room, members in random order: CPU per member",
		"heartbeat: CPU of a round", "connect: CPU", "event: CPU", "join: CPU", "leave: CPU", "disconnect: CPU",
		"connect: operations per second", "run: peak RSS of the process",
		"rooms: CPU per member of a broadcast, with the most rooms",
		"churn with GOGC=100: broadcast time max", "churn with GOGC=50 limit=1024MiB: connections replaced",
	} {
		if v := value(t, r, name); !(v > 0) {
			t.Errorf("%s: %v", name, v)
		}
	}
	if v := value(t, r, "memory: live heap per connection"); v < 300 || v > 5000 {
		t.Errorf("%v bytes for a connection", v)
	}
	seen := map[string]bool{}
	for _, m := range r.Metrics {
		if seen[m.Name] {
			t.Errorf("two figures %q", m.Name)
		}
		seen[m.Name] = true
	}
	for _, c := range r.Curves {
		want := len(cfg.stages())
		if c.X == overRooms.name {
			want = len(cfg.roomSteps())
		}
		if len(c.Points) != want {
			t.Errorf("%s: %d points, want %d", c.Name, len(c.Points), want)
		}
	}
	for _, p := range []string{"connect", "heartbeat", "broadcast to all", "churn with GOGC=100", "disconnect"} {
		if !phases[p] && p != "broadcast to all" { // which may be too short to be told about
			t.Errorf("no progress of %s in %v", p, phases)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(cfg.ProfileDir, "*.pprof")); len(files) < 10 {
		t.Errorf("profiles %q", files)
	}
}

// The smallest of everything.
func TestRunOfOne(t *testing.T) {
	r, err := Run(t.Context(), Config{Conns: 1, Loops: 1, Rooms: 1, Churn: time.Millisecond})
	if err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	r, err = Run(t.Context(), Config{Conns: 7, Loops: 3, Rooms: 3, Churn: time.Millisecond})
	if err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestTimeout(t *testing.T) {
	for _, after := range []time.Duration{time.Nanosecond, 30 * time.Millisecond} {
		cfg := small()
		cfg.Conns, cfg.Timeout = 200_000, after
		r, err := Run(t.Context(), cfg)
		if err != nil || r.OK || !strings.Contains(r.Partial, "time-out") {
			t.Errorf("%v: %+v, %v", after, r, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Run(ctx, small()); err != nil || r.OK || r.Partial != "interrupted" {
		t.Errorf("%+v, %v", r, err)
	}
}

// The collector's settings are those from before.
func TestSettingsComeBack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(9 << 30))
	cfg := small()
	cfg.Conns, cfg.Rooms = 50, 1
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if gogc, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(-1); gogc != 77 || limit != 9<<30 {
		t.Errorf("GOGC %d, limit %d", gogc, limit)
	}
}

func TestConfig(t *testing.T) {
	c, err := Config{}.settle()
	if err != nil || c.Conns != DefaultConns || c.Loops != DefaultLoops || c.Rooms != DefaultRooms ||
		c.Timeout != DefaultTimeout || len(c.collectors()) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if got := c.stages(); !slices.Equal(got, []int{1000, 10_000, 100_000, 1_000_000}) {
		t.Errorf("stages %v", got)
	}
	for want, bad := range map[string]Config{
		"conns":                {Conns: -1},
		"loops":                {Loops: loopsMax + 1},
		"rooms":                {Rooms: roomsMax + 1},
		"fewer than loops":     {Conns: 1, Loops: 2},
		"gogc":                 {GOGC: -2},
		"only with a memory":   {GOGC: GOGCOff},
		"memory-limit must no": {MemoryLimit: -1},
		"churn":                {Churn: -1},
		"timeout":              {Timeout: -1},
	} {
		if _, err := Run(t.Context(), bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	for want, c := range map[string]Config{
		"GOGC=off limit=64MiB": {GOGC: GOGCOff, MemoryLimit: 64 << 20},
		"GOGC=100 limit=1MiB":  {MemoryLimit: 1 << 20},
		"GOGC=40":              {GOGC: 40},
	} {
		if all := c.collectors(); len(all) != 2 || all[1].String() != want {
			t.Errorf("%v, want %s", all, want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Config{Conns: 2, ProfileDir: file}); err == nil {
		t.Error("profiles go into a file")
	}
}

// A simulation that goes wrong says so.
func TestChecks(t *testing.T) {
	w, err := newWorld(10, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	r := &run{cfg: Config{Conns: 10}, book: newBook(Config{})}
	if err := r.open(t.Context(), w, 10); err != nil {
		t.Fatal(err)
	}
	_, _ = w.each(func(d *driver) error { d.hang(0); d.conns = d.conns[1:]; return nil })
	_, err = r.broadcast(t.Context(), w, toAll(w))
	if !errors.Is(err, errWrong) {
		t.Fatal(err)
	}
	r.finish(err)
	if r.book.result.OK || len(r.book.result.Problems) != 1 {
		t.Errorf("%+v", r.book.result)
	}
}

func TestWriteTable(t *testing.T) {
	r := &bench.Result{
		Scenario: bench.Scenario{Subscribers: 1_000_000, Transport: bench.TransportWebSocket, Workers: 2},
		Metrics: []bench.Metric{
			{Name: "a: x", Unit: "ns", Value: 12.34, Samples: []float64{1234567, 0.5}, Floor: 3},
			{Name: "a: y", Value: 7},
			{Name: "alone", Value: 1},
		},
		Curves:   []bench.Curve{{Name: "c over connections", X: overConns.name, YUnit: "ns", Points: [][2]float64{{1000, 1.5}, {10000, 2}}}},
		Problems: []string{"a problem"}, Notes: []string{"a note"}, Partial: "why",
	}
	var out bytes.Buffer
	if err := WriteTable(&out, r); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"1,000,000 connections over websocket, on 2 fake loop(s)", "\nA\n  x ", "12.3 ns  (0.50 to 1,234,567)  floor 3\n", "  y ",
		"\nBY CONNECTIONS\n", "c, ns", "1,000: 1.50   10,000: 2\n", "a problem", "a note", "the run ended early: why", "FAILED",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, " \n") {
		t.Error("space at the end of a line")
	}
	if err := WriteTable(failing{}, r); err == nil {
		t.Error("no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

// The result survives its file.
func TestJSON(t *testing.T) {
	b := newBook(Config{Conns: 3, Loops: 1})
	b.metric("m", unitNanos, bench.BetterLower, 3, 1, 2)
	b.point("p", overConns, unitNanos, 1, 2)
	text, err := json.Marshal(b.result)
	if err != nil {
		t.Fatal(err)
	}
	var back bench.Result
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Scenario.Name != Kind || back.Metrics[0].Value != 2 || back.Curves[0].Points[0] != [2]float64{1, 2} {
		t.Errorf("%+v", back)
	}
}

func TestQuantiles(t *testing.T) {
	for _, test := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{nil, 0.5, 0}, {[]float64{4}, 0.99, 4}, {[]float64{3, 1}, 0.5, 2}, {[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{5, 1, 2, 3, 4}, 1, 5}, {[]float64{5, 1, 2, 3, 4}, 0, 1},
	} {
		if got := quantile(test.values, test.q); got != test.want {
			t.Errorf("%v of %v: %v, want %v", test.q, test.values, got, test.want)
		}
	}
	p := pauses{bounds: []float64{0, 1e-6, 2e-6, math.Inf(1)}, counts: []uint64{90, 9, 1}}
	for q, want := range map[float64]float64{0.5: 1, 0.9: 1, 0.99: 2, 1: 2} {
		if got := p.quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	none := p.since(p)
	if none.count() != 0 || none.quantile(0.5) != 0 || p.count() != 100 {
		t.Error("pauses since")
	}
}

func TestShare(t *testing.T) {
	for n := range 20 {
		for loops := 1; loops < 5; loops++ {
			sum := 0
			for i := range loops {
				sum += share(n, loops, i)
			}
			if sum != n {
				t.Errorf("%d in %d: %d", n, loops, sum)
			}
		}
	}
}
