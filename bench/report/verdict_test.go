package report

import (
	"math"
	"testing"
)

func TestVerdict(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	many := func(v float64) []float64 { return []float64{v * 0.99, v, v, v * 1.01} }
	for name, tt := range map[string]struct {
		a, b   []float64
		better string
		want   Verdict
	}{
		"same":                        {many(100), many(100), lower, Same},
		"overlap":                     {[]float64{90, 100, 110, 120}, []float64{115, 150, 160, 170}, lower, Same},
		"one touches":                 {[]float64{90, 100, 110, 120}, []float64{120, 150, 160, 170}, lower, Same},
		"overlap, most are higher":    {[]float64{90, 95, 100, 105, 110, 120}, []float64{115, 150, 160, 170, 180, 190}, lower, Worse},
		"overlap, but little":         {[]float64{1, 2, 3, 4, 5, 6, 7, 8}, []float64{2, 3, 4, 5, 6, 7, 8, 9}, lower, Same},
		"inside":                      {[]float64{1, 2, 3, 4, 5}, []float64{3}, lower, Same},
		"higher, lower is better":     {many(100), many(105), lower, Worse},
		"lower, lower is better":      {many(105), many(100), lower, Better},
		"higher, higher is better":    {many(100), many(105), higher, Better},
		"lower, higher is better":     {many(105), many(100), higher, Worse},
		"no direction":                {many(100), many(200), "", Differs},
		"no direction, same":          {many(100), many(100), "", Same},
		"three each, little":          {[]float64{100, 101, 102}, []float64{103, 104, 105}, lower, Same},
		"three each, much":            {[]float64{100, 101, 102}, []float64{203, 204, 205}, lower, Worse},
		"three and five, little":      {[]float64{100, 101, 102}, []float64{103, 104, 105, 106, 107}, lower, Worse},
		"one against many, little":    {[]float64{110}, many(100), higher, Same},
		"one against many, much":      {[]float64{110}, many(10), higher, Worse},
		"singles, equal":              {[]float64{100}, []float64{100}, lower, Same},
		"singles, 19 % of the larger": {[]float64{81}, []float64{100}, lower, Same},
		"singles, 20 % of the larger": {[]float64{80}, []float64{100}, lower, Worse},
		"singles, 20 % the other way": {[]float64{100}, []float64{80}, lower, Better},
		"singles, 20 % of the lesser": {[]float64{100}, []float64{120}, lower, Same},
		"singles from zero":           {[]float64{0}, []float64{5}, lower, Worse},
		"singles to zero":             {[]float64{5}, []float64{0}, lower, Better},
		"zeros":                       {[]float64{0}, []float64{0}, lower, Same},
		"zeros, many":                 {[]float64{0, 0, 0, 0}, []float64{0, 0, 0, 0}, higher, Same},
		"zeros to one":                {[]float64{0, 0, 0, 0}, []float64{1, 1, 1, 1}, lower, Worse},
		"negative":                    {[]float64{-10}, []float64{10}, lower, Worse},
		"huge":                        {[]float64{-math.MaxFloat64}, []float64{math.MaxFloat64}, lower, Worse},
		"NaN before":                  {[]float64{nan}, []float64{1}, lower, Unknown},
		"NaN after":                   {[]float64{1}, []float64{nan}, lower, Unknown},
		"infinite":                    {[]float64{1}, []float64{inf}, lower, Unknown},
	} {
		a := metric{name: "m", value: median(tt.a), samples: tt.a, better: tt.better}
		b := metric{name: "m", value: median(tt.b), samples: tt.b, better: tt.better}
		if got := verdict(a, b); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		opposite := map[Verdict]Verdict{Better: Worse, Worse: Better}
		want, ok := opposite[tt.want]
		if !ok {
			want = tt.want
		}
		if got := verdict(b, a); got != want {
			t.Errorf("%s, the other way: %q, want %q", name, got, want)
		}
	}
}

func TestVerdictIsHeldBack(t *testing.T) {
	a := metric{name: "m", unit: "us", value: 1, better: lower}
	for name, tt := range map[string]struct {
		b    metric
		want Verdict
	}{
		"for comparison":     {metric{unit: "us", value: 9, better: lower}, Worse},
		"set by the client":  {metric{unit: "us", value: 9, better: lower, bound: true}, ClientBound},
		"other unit":         {metric{unit: "ms", value: 9, better: lower}, Unknown},
		"other direction":    {metric{unit: "us", value: 9, better: higher}, Differs},
		"coarsely counted":   {metric{unit: "us", value: 9, better: lower, step: 8}, Same},
		"finely counted":     {metric{unit: "us", value: 9, better: lower, step: 7}, Worse},
		"samples say a lot":  {metric{unit: "us", value: 9, samples: []float64{9, 9, 9}, better: lower}, Worse},
		"samples say little": {metric{unit: "us", value: 9, samples: []float64{0, 9, 9}, better: lower}, Same},
	} {
		if got := verdict(a, tt.b); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if got := verdict(tt.b, a); (got == ClientBound) != (tt.want == ClientBound) {
			t.Errorf("%s, the other way: %q", name, got)
		}
	}
}

func TestWorsening(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b   []float64
		better string
		want   float64
	}{
		"beyond the highest": {[]float64{90, 100, 110}, []float64{130, 140, 150}, lower, 20},
		"beyond the lowest":  {[]float64{90, 100, 110}, []float64{50, 60, 70}, higher, 20},
		"overlap":            {[]float64{90, 100, 110}, []float64{100, 140, 150}, lower, 0},
		"good side":          {[]float64{90, 100, 110}, []float64{50, 60, 70}, lower, 0},
		"from zero":          {[]float64{0}, []float64{1}, lower, math.Inf(1)},
		"both zero":          {[]float64{0}, []float64{0}, lower, 0},
	} {
		a := metric{value: median(tt.a), samples: tt.a, better: tt.better}
		b := metric{value: median(tt.b), samples: tt.b, better: tt.better}
		if got := worsening(a, b); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
