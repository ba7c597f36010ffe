package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seed58c87869/siren/bench"
)

// sample returns a result with everything that the page shows.
func sample() bench.Result {
	rate, bound := 1000.0, 900.0
	burst := func(rate, bound *float64) bench.Burst {
		return bench.Burst{
			Receivers: 10, Expected: 100, Delivered: 100, Seconds: 0.1, Rate: rate, ClientBoundRate: bound,
			Latency: &bench.Latency{P50: 100, P90: 200, P99: 900, P999: 4000, Max: 9000},
			Server:  &bench.ServerCPU{User: 0.2, System: 0.3, PerMessage: 5000, UserPerMessage: 2000, SystemPerMessage: 3000},
			Client:  bench.ClientLoad{User: 0.1, System: 0.1, Busy: 0.5, LagMax: 70, Bottleneck: bound != nil},
		}
	}
	return bench.Result{
		OK: true, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Scenario: bench.Scenario{
			URL: "http://127.0.0.1:3000", Transport: bench.TransportWebSocket, Target: "room",
			Subscribers: 10, Broadcasts: 10, Size: 128, Repeat: 2, Workers: 1,
		},
		Machine:  bench.Machine{CPUs: 2, GOMAXPROCS: 2, Arch: "amd64", Kernel: "6.1", Go: "go1.26", Shared: true},
		Memory:   &bench.Memory{Before: 1 << 20, After: 2 << 20, PerConnection: 4096},
		Connects: []bench.Connect{{Connected: 10, Seconds: 0.01}},
		Bursts:   []bench.Burst{burst(&rate, nil), burst(nil, &bound)},
		Metrics: []bench.Metric{
			{Name: "echo rate", Unit: "1/s", Value: 50, Samples: []float64{40, 50, 60}, Better: bench.BetterHigher, Floor: 200},
			{Name: "reconnect time", Unit: "s", Value: 2, Samples: []float64{2}, Better: bench.BetterLower},
		},
		Curves: []bench.Curve{
			{Name: "over time", X: "time", XUnit: "s", Y: "rate", YUnit: "1/s", Points: [][2]float64{{0, 1}, {1, 5}, {2, 3}}},
			{Name: "by size", X: "sessions", Y: "latency", YUnit: "us", Points: [][2]float64{{10, 5}, {100, 50}, {10000, 5000}}},
		},
		Notes: []string{"a note"},
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRead(t *testing.T) {
	one := marshal(t, sample())
	indented, _ := json.MarshalIndent(sample(), "", "  ")
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"one":             {one, 1},
		"indented":        {string(indented) + "\n", 1},
		"one per line":    {one + "\n" + one + "\n", 2},
		"no line between": {one + one, 2},
		"array":           {"[" + one + ",\n" + one + "," + one + "]", 3},
		"arrays per line": {"[" + one + "]\n[]\n" + one, 2},
		"minimal":         {`{"scenario":{}}`, 1},
		"unknown fields":  {`{"scenario":{"future":[1]},"future":{}}`, 1},
	} {
		results, err := Read(iotest.OneByteReader(strings.NewReader(tt.text)))
		if err != nil || len(results) != tt.want {
			t.Errorf("%s: %d results, %v", name, len(results), err)
			continue
		}
		if strings.Contains(tt.text, "a note") && !reflect.DeepEqual(results[0], sample()) {
			t.Errorf("%s: %+v", name, results[0])
		}
	}
}

func TestReadRefuses(t *testing.T) {
	one := marshal(t, sample())
	for _, text := range []string{
		"", " \n", "[]", "null", "1", `"x"`, "{}", "[[" + one + "]]", "[null]", "[{}]", `{"scenario":null}`,
		`{"scenario":"fanout"}`, `{"scenario":{"subscribers":"many"}}`, one[:len(one)/2], one + "}", one + ",", "not json",
		`{"scenario":{},"metrics":[{"value":"NaN"}]}`, `{"scenario":{},"metrics":[{"value":1e999}]}`,
		"[" + strings.Repeat(`{"scenario":{}},`, resultsMax) + `{"scenario":{}}]`,
		strings.Repeat(`{"scenario":{}} `, resultsMax+1), strings.Repeat("[", 20_000),
	} {
		results, err := Read(strings.NewReader(text))
		if !errors.Is(err, ErrFormat) || results != nil {
			t.Errorf("%.40q: %d results, %v", text, len(results), err)
		}
	}
}

func TestReadTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a lot")
	}
	endless := io.MultiReader(strings.NewReader(`{"scenario":{}}`), spaces{})
	if _, err := Read(endless); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// spaces is an endless file of white space.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadError(t *testing.T) {
	broken := errors.New("disk")
	_, err := Read(iotest.ErrReader(broken))
	if !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// FuzzRead: whatever is read can be written and read again as an array and as
// lines with the same contents, compared with itself without any claim, and
// shown on a well-formed page.
func FuzzRead(f *testing.F) {
	one, err := json.Marshal(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Add([]byte(`{"scenario":{"url":"<b>","target":"\u202e"},"metrics":[{"name":"p50","value":-1e308,"samples":[1e308,-1e308],"floor":1e-308}]}`))
	f.Add([]byte(`[{"scenario":{}},{"scenario":{},"curves":[{"x":"percentile","points":[[0,1],[100,1e300],[1e308]]}]}]`))
	f.Add([]byte(`{"scenario":{},"bursts":[{"delivered":1,"server_cpu":{},"latency":{}}],"connects":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		results, err := Read(bytes.NewReader(text))
		if err != nil {
			if results != nil {
				t.Error("results and an error")
			}
			return
		}
		array := marshal(t, results)
		var lines strings.Builder
		for _, r := range results {
			lines.WriteString(marshal(t, r) + "\n")
		}
		for _, again := range []string{array, lines.String()} {
			back, err := Read(strings.NewReader(again))
			if err != nil || marshal(t, back) != array {
				t.Fatalf("%v\n%s", err, again)
			}
		}
		checkSelf(t, results)
		var page bytes.Buffer
		if err := WriteHTML(&page, results); err != nil {
			t.Fatal(err)
		}
		checkPage(t, page.Bytes())
	})
}

// checkSelf compares results with themselves.
func checkSelf(t *testing.T, results []bench.Result) {
	t.Helper()
	c := Compare(results, results)
	for _, p := range c.Pairs {
		if len(p.Settings) > 0 {
			continue
		}
		for _, r := range p.Rows {
			if r.Verdict != Same && r.Verdict != ClientBound && r.Verdict != Unknown {
				t.Errorf("compared with itself: %+v", r)
			}
		}
	}
	var table strings.Builder
	if err := c.WriteTable(&table, "a", "b"); err != nil {
		t.Error(err)
	}
	if strings.ContainsAny(table.String(), "\x1b\r\t\u202e") {
		t.Errorf("the table has control characters: %q", table.String())
	}
}
