package bench

import "slices"

// Spread is the median of several bursts with the extremes beside it.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Summary condenses the bursts of a run. A figure is nil when no burst has it; one that was interrupted has none.
type Summary struct {
	Expected         uint64  `json:"expected"`
	Delivered        uint64  `json:"delivered"`
	Missing          uint64  `json:"missing"`
	Outstanding      uint64  `json:"outstanding"`
	Duplicated       uint64  `json:"duplicated"`
	Reordered        uint64  `json:"reordered"`
	Malformed        uint64  `json:"malformed"`
	Seconds          *Spread `json:"seconds"`
	Rate             *Spread `json:"messages_per_second,omitempty"`
	ClientBoundRate  *Spread `json:"client_bound_messages_per_second,omitempty"`
	P50              *Spread `json:"p50_us,omitempty"`
	P90              *Spread `json:"p90_us,omitempty"`
	P99              *Spread `json:"p99_us,omitempty"`
	P999             *Spread `json:"p99_9_us,omitempty"`
	Max              *Spread `json:"max_us,omitempty"`
	PerMessage       *Spread `json:"server_us_per_message,omitempty"`
	UserPerMessage   *Spread `json:"server_user_us_per_message,omitempty"`
	SystemPerMessage *Spread `json:"server_system_us_per_message,omitempty"`
	ClientPerMessage *Spread `json:"client_us_per_message,omitempty"`
	ClientBusy       *Spread `json:"client_loop_busy"`
	ClientLagMax     *Spread `json:"client_loop_lag_max_us"`
	Others           *Spread `json:"others_cpu_share"`
}

// summarize condenses bursts, nil for none.
func summarize(bursts []Burst) *Summary {
	if len(bursts) == 0 {
		return nil
	}
	s := &Summary{}
	for _, b := range bursts {
		s.Expected += b.Expected
		s.Delivered += b.Delivered
		s.Missing += b.Missing
		s.Outstanding += b.Outstanding
		s.Duplicated += b.Duplicated
		s.Reordered += b.Reordered
		s.Malformed += b.Malformed
	}
	latency := func(pick func(*Latency) float64) *Spread {
		return spreadOf(bursts, func(b *Burst) (float64, bool) {
			if b.Latency == nil {
				return 0, false
			}
			return pick(b.Latency), true
		})
	}
	server := func(pick func(*ServerCPU) float64) *Spread {
		return spreadOf(bursts, func(b *Burst) (float64, bool) {
			if b.Server == nil || b.Delivered == 0 {
				return 0, false
			}
			return pick(b.Server), true
		})
	}
	s.Seconds = spreadOf(bursts, func(b *Burst) (float64, bool) { return b.Seconds, true })
	s.Rate = spreadOf(bursts, func(b *Burst) (float64, bool) { return optional(b.Rate) })
	s.ClientBoundRate = spreadOf(bursts, func(b *Burst) (float64, bool) { return optional(b.ClientBoundRate) })
	s.P50 = latency(func(l *Latency) float64 { return l.P50 })
	s.P90 = latency(func(l *Latency) float64 { return l.P90 })
	s.P99 = latency(func(l *Latency) float64 { return l.P99 })
	s.P999 = latency(func(l *Latency) float64 { return l.P999 })
	s.Max = latency(func(l *Latency) float64 { return l.Max })
	s.PerMessage = server(func(c *ServerCPU) float64 { return c.PerMessage })
	s.UserPerMessage = server(func(c *ServerCPU) float64 { return c.UserPerMessage })
	s.SystemPerMessage = server(func(c *ServerCPU) float64 { return c.SystemPerMessage })
	s.ClientPerMessage = spreadOf(bursts, func(b *Burst) (float64, bool) {
		return (b.Client.User + b.Client.System) * 1e6 / float64(max(b.Delivered, 1)), b.Delivered > 0
	})
	s.ClientBusy = spreadOf(bursts, func(b *Burst) (float64, bool) { return b.Client.Busy, true })
	s.ClientLagMax = spreadOf(bursts, func(b *Burst) (float64, bool) { return b.Client.LagMax, true })
	s.Others = spreadOf(bursts, func(b *Burst) (float64, bool) { return b.Others, true })
	return s
}

// optional returns the value of a figure that may be absent.
func optional(p *float64) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return *p, true
}

// spreadOf collects one figure of those bursts that have it.
func spreadOf(bursts []Burst, pick func(*Burst) (float64, bool)) *Spread {
	var values []float64
	for i := range bursts {
		if bursts[i].Interrupted {
			continue
		}
		if v, ok := pick(&bursts[i]); ok {
			values = append(values, v)
		}
	}
	return spread(values)
}

// spread returns the median and the extremes of some values, nil of none. It sorts
// the values.
func spread(values []float64) *Spread {
	n := len(values)
	if n == 0 {
		return nil
	}
	slices.Sort(values)
	s := &Spread{Median: values[n/2], Min: values[0], Max: values[n-1]}
	if n%2 == 0 {
		s.Median = (values[n/2-1] + values[n/2]) / 2
	}
	return s
}
