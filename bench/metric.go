package bench

// The values of Metric.Better.
const (
	BetterLower  = "lower"
	BetterHigher = "higher"
)

// Metric is one figure of a run; a plain value. The figures depend on the scenario.
type Metric struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Value is the median of the samples.
	Value float64 `json:"value"`
	// Samples has one value for each repeat that has the figure.
	Samples []float64 `json:"samples,omitempty"`
	// Better is BetterLower, BetterHigher, or "" when neither is.
	Better string `json:"better"`
	// Floor is the same figure of a bare epoll loop on the same machine at the same time, or 0 if it was not measured.
	Floor float64 `json:"floor,omitempty"`
}

// NewMetric returns the figure that these samples make. It keeps the slice.
func NewMetric(name, unit, better string, samples []float64) Metric {
	return Metric{Name: name, Unit: unit, Better: better, Value: median(samples), Samples: samples}
}

// Ratio returns the figure divided by its floor, 0 without a floor.
func (m Metric) Ratio() float64 {
	if m.Floor == 0 {
		return 0
	}
	return m.Value / m.Floor
}

// Curve is a series of points; a plain value.
type Curve struct {
	Name   string       `json:"name"`
	X      string       `json:"x"`
	XUnit  string       `json:"x_unit"`
	Y      string       `json:"y"`
	YUnit  string       `json:"y_unit"`
	Points [][2]float64 `json:"points"`
}

// gauge collects the samples of one figure during a run.
type gauge struct {
	name, unit, better string
	samples, floor     []float64
}

// gauges keeps figures in the order of their first sample.
type gauges struct{ list []*gauge }

// of returns the figure with that name.
func (g *gauges) of(name, unit, better string) *gauge {
	for _, have := range g.list {
		if have.name == name {
			return have
		}
	}
	fresh := &gauge{name: name, unit: unit, better: better}
	g.list = append(g.list, fresh)
	return fresh
}

// add appends one sample.
func (g *gauge) add(value float64) { g.samples = append(g.samples, value) }

// addFloor appends one sample of the floor.
func (g *gauge) addFloor(value float64) { g.floor = append(g.floor, value) }

// metrics returns the medians of the figures, without those that only the floor has.
func (g *gauges) metrics() []Metric {
	var out []Metric
	for _, have := range g.list {
		if len(have.samples) == 0 {
			continue
		}
		m := NewMetric(have.name, have.unit, have.better, have.samples)
		if len(have.floor) > 0 {
			m.Floor = median(have.floor)
		}
		out = append(out, m)
	}
	return out
}

// median returns the median of the values, or 0 if there are none.
func median(values []float64) float64 {
	s := spread(append([]float64(nil), values...))
	if s == nil {
		return 0
	}
	return s.Median
}
