package report

import (
	"math"
	"strings"
	"testing"
)

func labels(a axis) string {
	var out []string
	for _, t := range a.ticks {
		out = append(out, t.label)
	}
	return strings.Join(out, " ")
}

func TestAxes(t *testing.T) {
	for name, tt := range map[string]struct {
		axis axis
		want string
	}{
		"linear":             {linear(0, 100), "0 20 40 60 80 100"},
		"rounded outwards":   {linear(0, 93), "0 20 40 60 80 100"},
		"thousands":          {linear(0, 48_000), "0 10k 20k 30k 40k 50k"},
		"small":              {linear(0, 0.0003), "0 0.0001 0.0002 0.0003"},
		"negative":           {linear(-3, 3), "-4 -2 0 2 4"},
		"nothing":            {linear(0, 0), "0 0.2 0.4 0.6 0.8 1"},
		"decades":            {logarithmic(1, 10_000), "1 10 100 1000 10k"},
		"one decade":         {logarithmic(120, 900), "100 200 500 1000"},
		"one value":          {logarithmic(100, 100), "100 200"},
		"within a step":      {logarithmic(101, 199), "100 200"},
		"names":              {steps([]string{"p50", "max"}), "p50 max"},
		"percentiles":        {percentiles(0, 99.9), "0 50 90 99 99.9 max"},
		"upper percentiles":  {percentiles(50, 99), "50 90 99 max"},
		"very many decades":  {logarithmic(1e-9, 1e9), "1e-08 1e-06 0.0001 0.01 1 100 10k 1M 100M"},
		"as wide as it gets": {linear(-math.MaxFloat64, math.MaxFloat64), ""},
	} {
		if got := labels(tt.axis); got != tt.want && tt.want != "" {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		last := -1.0
		for _, tick := range tt.axis.ticks {
			if tick.at <= last || tick.at > 1 {
				t.Errorf("%s: tick %q at %v after %v", name, tick.label, tick.at, last)
			}
			last = tick.at
		}
	}
}

func TestAxisIsMonotonous(t *testing.T) {
	for name, a := range map[string]axis{"linear": linear(0, 100), "log": logarithmic(1, 100), "nines": percentiles(0, 99.99)} {
		last := 0.0
		for v := 0.0; v <= 100; v += 0.25 {
			at := a.at(v)
			if at < last || at > 1 {
				t.Errorf("%s: %v is at %v after %v", name, v, at, last)
			}
			last = at
		}
		if last != 1 || a.at(math.NaN()) != 0 || a.at(math.Inf(1)) != 1 {
			t.Errorf("%s: ends at %v", name, last)
		}
	}
}

func TestThinKeepsPeaks(t *testing.T) {
	const n = 100_000
	points := make([][2]float64, n)
	for i := range points {
		points[i] = [2]float64{float64(i), 1}
	}
	points[777][1], points[55_555][1] = 1000, -1000
	x := linear(0, n)
	got := thin(points, func(v float64) float64 { return x.at(v) * drawingWidth })
	var high, low bool
	last := -1.0
	for _, p := range got {
		high, low = high || p[1] == 1000, low || p[1] == -1000
		if p[0] <= last {
			t.Fatalf("%v after %v", p[0], last)
		}
		last = p[0]
	}
	if !high || !low || last != n-1 || len(got) > 4*plotColumns+4 {
		t.Errorf("%d points, high %v, low %v, last %v", len(got), high, low, last)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", 12.345: "12.35",
		123.45: "123.5", 0.012345: "0.0123", 1e20: "1e+20", math.Inf(1): "∞", math.Inf(-1): "-∞",
	} {
		if got := number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if number(math.NaN()) != absent || times(math.NaN()) != absent || times(math.Inf(1)) != absent {
		t.Error("NaN")
	}
	for v, want := range map[float64]string{0: "0.00", 1: "1.00", 0.005: "0.005", 1234: "1,234", 2.345: "2.35"} {
		if got := times(v); got != want && got != "2.35" && got != "2.34" {
			t.Errorf("%v times: %q, want %q", v, got, want)
		}
	}
	for i, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 51: "AZ", 52: "BA", 702: "AAA"} {
		if got := letters(i); got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
}
