package report

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/bench"
)

// result returns a run of a scenario with one metric.
func result(subscribers int, url, name string, samples ...float64) bench.Result {
	r := bench.Result{OK: true, Scenario: bench.Scenario{URL: url, Subscribers: subscribers}}
	r.Metrics = []bench.Metric{{Name: name, Unit: "us", Value: median(samples), Samples: samples, Better: bench.BetterLower}}
	return r
}

func TestCompareRows(t *testing.T) {
	a := result(1, "u", "shared", 10, 10, 10, 10)
	a.Metrics = append(a.Metrics, bench.Metric{Name: "gone", Value: 0}, bench.Metric{Name: "zero", Value: 0}, bench.Metric{Name: "bad", Value: math.NaN()})
	b := result(1, "v", "new", 1)
	b.Metrics = append(b.Metrics, bench.Metric{Name: "shared", Unit: "us", Value: 20, Samples: []float64{20, 20, 20, 20}, Better: bench.BetterLower},
		bench.Metric{Name: "zero", Value: 3}, bench.Metric{Name: "bad", Value: 3})
	c := Compare([]bench.Result{a}, []bench.Result{b})
	if len(c.Pairs) != 1 || c.OnlyA != nil || c.OnlyB != nil {
		t.Fatalf("%+v", c)
	}
	want := []Row{
		{Metric: "shared", Unit: "us", A: 10, B: 20, SpreadA: "10 to 10", SpreadB: "20 to 20", Ratio: 2, Verdict: Worse, Beyond: 100},
		{Metric: "gone", A: 0, B: math.NaN(), SpreadA: "1 sample", SpreadB: absent, Ratio: math.NaN(), Verdict: OnlyA},
		{Metric: "zero", A: 0, B: 3, SpreadA: "1 sample", SpreadB: "1 sample", Ratio: math.NaN(), Verdict: Differs},
		{Metric: "bad", A: math.NaN(), B: 3, SpreadA: "1 sample", SpreadB: "1 sample", Ratio: math.NaN(), Verdict: Unknown},
		{Metric: "new", Unit: "us", A: math.NaN(), B: 1, SpreadA: absent, SpreadB: "1 sample", Ratio: math.NaN(), Verdict: OnlyB},
	}
	same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	for i, row := range c.Pairs[0].Rows {
		w := want[i]
		equal := same(row.A, w.A) && same(row.B, w.B) && same(row.Ratio, w.Ratio)
		row.A, row.B, row.Ratio, w.A, w.B, w.Ratio = 0, 0, 0, 0, 0, 0
		if !equal || row != w {
			t.Errorf("row %d: %+v, want %+v", i, c.Pairs[0].Rows[i], want[i])
		}
	}
}

func TestComparePairing(t *testing.T) {
	a := []bench.Result{result(10, "u", "m", 1), result(20, "u", "m", 2), result(20, "w", "m", 3), result(99, "u", "m", 4)}
	b := []bench.Result{result(20, "w", "m", 3), result(20, "v", "m", 2), result(10, "v", "m", 1)}
	c := Compare(a, b)
	if len(c.Pairs) != 3 || len(c.OnlyA) != 1 || !strings.Contains(c.OnlyA[0], "subscribers 99") || c.OnlyB != nil {
		t.Fatalf("%+v", c)
	}
	for _, p := range c.Pairs {
		if p.Settings != nil || p.Rows[0].A != p.Rows[0].B {
			t.Errorf("%+v", p)
		}
	}
}

func TestComparePools(t *testing.T) {
	a := []bench.Result{result(1, "u", "m", 1, 2), result(1, "u", "m", 5, 8), result(1, "u", "other", 3)}
	c := Compare(a, []bench.Result{result(1, "u", "m", 6)})
	row := c.Pairs[0].Rows[0]
	if len(c.Pairs) != 1 || row.A != 3.5 || row.SpreadA != "1 to 8" || row.Verdict != Same {
		t.Errorf("%+v", c)
	}
	if rows := c.Pairs[0].Rows; len(rows) != 2 || rows[1].Verdict != OnlyA {
		t.Errorf("%+v", rows)
	}
}

func TestCompareDifferentSettings(t *testing.T) {
	c := Compare([]bench.Result{result(10, "u", "m", 1)}, []bench.Result{result(1000, "u", "m", 900)})
	p := c.Pairs[0]
	if len(p.Settings) != 1 || p.Rows[0].Verdict != Differs {
		t.Errorf("%+v", p)
	}
	if worse := c.Worse(0); len(worse) != 1 || !strings.Contains(worse[0], "nothing") {
		t.Errorf("%q", worse)
	}
}

func TestCompareSaysLoudly(t *testing.T) {
	a, b := sample(), sample()
	b.Machine.CPUs, b.Machine.Kernel = 64, "7.0\x1b[2J"
	b.Scenario.Subscribers = 999
	b.OK, b.Partial = false, "interrupted"
	b.Notes = []string{"line\nbreak"}
	var out strings.Builder
	if err := Compare([]bench.Result{a}, []bench.Result{b}).WriteTable(&out, "a\x1b.json", "b.json"); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"THE MACHINES DIFFER: cpus is 2 in A, 64 in B", "THE MACHINES DIFFER: kernel is 6.1 in A, 7.0?[2J in B",
		"THE SCENARIOS DIFFER: subscribers is 10 in A, 999 in B", "!! B: FAILED", "!! B: PARTIAL: the run ended early: interrupted",
		"!! A: THE CLIENT IS THE BOTTLENECK in 1 of 2 bursts", "note A: a note", "note B: line?break", "A: a?.json",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("an escape sequence reached the terminal")
	}
}

func TestTableIsAligned(t *testing.T) {
	var out strings.Builder
	if err := Compare([]bench.Result{sample()}, []bench.Result{sample()}).WriteTable(&out, "a", "b"); err != nil {
		t.Fatal(err)
	}
	column := -1
	for _, line := range strings.Split(out.String(), "\n") {
		at := strings.Index(line, "verdict")
		if column < 0 {
			column = len([]rune(line[:max(at, 0)])) - 1 + min(at, 0)
			if at < 0 {
				column = -1
			}
			continue
		}
		if line == "" {
			break
		}
		rest := string([]rune(line)[column+1:])
		if rest != string(Same) && rest != string(ClientBound) {
			t.Errorf("%q", rest)
		}
	}
	if column < 0 {
		t.Errorf("no table:\n%s", out.String())
	}
}

func TestNothingInCommon(t *testing.T) {
	c := Compare([]bench.Result{result(1, "u", "m", 1)}, nil)
	var out strings.Builder
	if err := c.WriteTable(&out, "a", "b"); err != nil || !strings.Contains(out.String(), "NOTHING TO COMPARE") || !strings.Contains(out.String(), "only in A") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if len(c.Worse(50)) == 0 {
		t.Error("the gate is open")
	}
}

func TestWorse(t *testing.T) {
	ok := result(1, "u", "m", 100, 100, 100, 100)
	for name, tt := range map[string]struct {
		b       bench.Result
		percent float64
		want    int
	}{
		"same":              {ok, 0, 0},
		"better":            {result(1, "u", "m", 50, 50, 50, 50), 0, 0},
		"worse by 10":       {result(1, "u", "m", 110, 110, 110, 110), 0, 1},
		"within percent":    {result(1, "u", "m", 110, 110, 110, 110), 10, 0},
		"beyond percent":    {result(1, "u", "m", 111, 111, 111, 111), 10, 1},
		"the nearest count": {result(1, "u", "m", 110, 200, 200, 200), 10, 0},
		"within spread":     {result(1, "u", "m", 100, 200, 200, 200), 0, 0},
		"absent":            {result(1, "u", "other", 100), 0, 1},
		"failed":            {bench.Result{Scenario: ok.Scenario, Metrics: ok.Metrics}, 1000, 1},
	} {
		c := Compare([]bench.Result{ok}, []bench.Result{tt.b})
		if got := c.Worse(tt.percent); len(got) != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	zero := Compare([]bench.Result{result(1, "u", "m", 0, 0, 0, 0)}, []bench.Result{result(1, "u", "m", 1, 1, 1, 1)})
	if got := zero.Worse(1e300); len(got) != 1 || !strings.Contains(got[0], "any percentage") {
		t.Errorf("%q", got)
	}
}

func TestWriteTableError(t *testing.T) {
	full := errors.New("disk full")
	if err := Compare(nil, nil).WriteTable(failing{full}, "a", "b"); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestFanoutMetrics(t *testing.T) {
	r := sample()
	got := map[string]metric{}
	for _, m := range metricsOf(&r) {
		got[m.name] = m
	}
	for name, tt := range map[string]struct {
		value   float64
		samples int
		better  string
		bound   bool
	}{
		"messages per second":                       {1000, 1, higher, true},
		"messages per second that this client took": {900, 1, "", true},
		"latency p99":                               {900, 2, lower, true},
		"server CPU per message":                    {5000, 2, lower, false},
		"faults":                                    {0, 2, lower, false},
		"connect time":                              {0.01, 1, "", false},
		"server memory per connection":              {4096, 1, lower, false},
		"echo rate":                                 {50, 3, higher, false},
	} {
		m, ok := got[name]
		if !ok || m.value != tt.value || m.count() != tt.samples || m.better != tt.better || m.bound != tt.bound {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if step := got["server CPU per message"].step; step != 2*tickMicros/100 {
		t.Errorf("step %v", step)
	}
	r.Scenario.GapMicros = 100
	for _, m := range metricsOf(&r) {
		if m.name == "messages per second" && m.better != "" {
			t.Error("the pace that was asked for counts as good")
		}
	}
}

func TestGivenMetricsAreCompleted(t *testing.T) {
	r := sample()
	r.Metrics = []bench.Metric{
		{Name: "server CPU per message", Unit: "us", Value: 5000, Better: lower, Floor: 100},
		{Name: "latency p99", Unit: "us", Value: 900, Better: lower},
		{Name: "burst: latency p99", Unit: "us", Value: 1, Better: lower},
		{Name: "echo: latency p99", Unit: "us", Value: 1, Better: lower},
		{Name: "echo: client loop busy", Value: 0.5, Samples: []float64{0.5, 0.95}},
		{Name: "echo: round trips per second that this client took", Unit: "1/s", Value: 3},
	}
	want := map[string]bool{"latency p99": true, "echo: latency p99": true, "echo: round trips per second that this client took": true}
	all := metricsOf(&r)
	for _, m := range all[:len(r.Metrics)] {
		if m.bound != want[m.name] {
			t.Errorf("%s: bound is %v", m.name, m.bound)
		}
	}
	if all[0].floor != 100 || all[0].step != 2*tickMicros/100 {
		t.Errorf("%+v", all[0])
	}
	if alarms := newRun(r).alarms(); len(alarms) != 2 || !strings.Contains(alarms[1], "BOTTLENECK in echo:") {
		t.Errorf("%q", alarms)
	}
}

func TestMemoryOfAWarmServerIsNotJudged(t *testing.T) {
	cold, warm := sample(), sample()
	warm.Memory = &bench.Memory{Before: 1 << 30, PerConnection: 1}
	c := Compare([]bench.Result{cold}, []bench.Result{warm})
	for _, r := range c.Pairs[0].Rows {
		if r.Metric == "server memory per connection" && r.Verdict != Differs {
			t.Errorf("%+v", r)
		}
	}
	if !strings.Contains(strings.Join(c.Pairs[0].Notes, " "), "is not judged: it began at 1,048,576 B in A") {
		t.Errorf("%q", c.Pairs[0].Notes)
	}
}

func TestCommand(t *testing.T) {
	r := sample()
	r.Scenario.URL, r.Scenario.Target, r.Scenario.GapMicros = "http://h/a b'c", "namespace", 5
	want := `siren bench fanout --url 'http://h/a b'\''c' --all --transport websocket --size 128 --broadcasts 10 --gap-us 5 --subscribers 10 --repeat 2 --warmup 0 --workers 1`
	if got := newRun(r).command(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
