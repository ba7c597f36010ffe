package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the result as aligned plain text. With several bursts a
// figure is its median, followed by the lowest and the highest.
func (r *Result) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	t := table{w}
	t.scenario(r)
	t.connects(r)
	if s := r.Summary; s != nil {
		t.deliveries(s, r.Bursts)
		t.speed(s, r)
		t.load(s)
	}
	t.metrics(r)
	for _, threshold := range r.Thresholds {
		if threshold.OK {
			t.row("threshold ok", "%s", threshold)
		} else {
			t.row("threshold FAILED", "%s", threshold)
		}
	}
	for _, problem := range r.Problems {
		t.row("PROBLEM", "%s", problem)
	}
	for _, note := range r.Notes {
		t.row("note", "%s", note)
	}
	if r.Partial != "" {
		t.row("PARTIAL", "the run ended early: %s", r.Partial)
	}
	verdict := "ok"
	if !r.OK {
		verdict = "FAILED: " + strings.Join(r.Reasons, "; ")
	}
	t.row("verdict", "%s", verdict)
	return w.Flush()
}

// table writes rows of a name and a value.
type table struct{ w io.Writer }

// row writes one row. Errors of the writer stay in it until Flush.
func (t table) row(name, format string, args ...any) {
	fmt.Fprintf(t.w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
}

// spread writes a figure, nothing if it is absent.
func (t table) spread(name, verb, unit string, s *Spread) {
	if s == nil {
		return
	}
	value := fmt.Sprintf(verb, s.Median) + unit
	if s.Min != s.Max {
		value += fmt.Sprintf("  ("+verb+" to "+verb+")", s.Min, s.Max)
	}
	t.row(name, "%s", value)
}

func (t table) scenario(r *Result) {
	s := &r.Scenario
	if s.Name != "" && s.Name != KindFanout {
		t.row("scenario", "%s", s.Name)
	}
	transport := string(s.Transport)
	if s.Upgrade > 0 {
		transport += fmt.Sprintf(" (%d of them)", s.Upgrade)
	}
	processes := ""
	if s.Processes > 1 {
		processes = fmt.Sprintf(" in each of %d processes", s.Processes)
	}
	if s.Name != KindFloor {
		t.row("server", "%s", s.URL)
	}
	switch s.Name {
	case KindPolling:
		transport = string(TransportPolling)
	case KindUpgrade:
		transport = string(TransportPolling) + ", later " + string(TransportWebSocket)
	}
	if s.Name == KindProfile {
		t.row("profile", "%s", s.Profile)
		t.row("users", "up to %d over %s, in the namespace %s", s.Subscribers, transport, s.Namespace)
	} else {
		t.row("subscribers", "%d over %s, %d client loop(s)%s", s.Subscribers, transport, s.Workers, processes)
	}
	switch s.Name {
	case KindProfile:
	case "", KindFanout, KindPolling, KindUpgrade, KindSlow, KindRooms, KindFloor:
		t.row("burst", "%d broadcasts to the %s, %d bytes, gap %d us, %d time(s)",
			s.Broadcasts, s.Target, s.Size, s.GapMicros, s.Repeat)
	default:
		t.row("rounds", "%d", s.Repeat)
	}
	if s.Seconds > 0 {
		t.row("duration", "%g s", s.Seconds)
	}
	switch {
	case s.Name == KindGame:
		t.row("load", "rooms of %d, each player sends %d bytes %d times per second, and a ping", s.Members, s.Size, s.Rate)
	case s.Rate > 0:
		t.row("load", "%d per second, open loop", s.Rate)
	case s.Concurrency > 0:
		t.row("load", "%d in flight, closed loop", s.Concurrency)
	}
	where := "server on another machine"
	switch {
	case s.Name == KindFloor:
		where = "no server"
	case r.Machine.Shared:
		where = "server on the same machine"
	}
	t.row("client", "%d CPUs, Linux %s, %s, %s", r.Machine.CPUs, r.Machine.Kernel, r.Machine.Go, where)
}

func (t table) connects(r *Result) {
	for _, c := range r.Connects {
		t.row("connected", "%d in %.2f s, %d failed, %d lost later", c.Connected, c.Seconds, c.Failed, c.Lost)
		if c.Retried > 0 {
			t.row("  repeated", "%d attempts", c.Retried)
		}
		if len(c.Failures) > 0 {
			t.row("  failures", "%s", describe(c.Failures))
		}
	}
	if m := r.Memory; m != nil {
		text := fmt.Sprintf("%.1f MiB before, %.1f MiB after", float64(m.Before)/(1<<20), float64(m.After)/(1<<20))
		if m.PerConnection > 0 {
			text += fmt.Sprintf(", %.2f KiB per connection (RSS)", m.PerConnection/(1<<10))
		}
		t.row("server memory", "%s", text)
	}
}

func (t table) deliveries(s *Summary, bursts []Burst) {
	t.row("delivered", "%d of %d", s.Delivered, s.Expected)
	t.row("faults", "%d missing, %d duplicated, %d reordered, %d malformed",
		s.Missing, s.Duplicated, s.Reordered, s.Malformed)
	if s.Outstanding > 0 {
		t.row("outstanding", "%d when the run ended", s.Outstanding)
	}
	for _, b := range bursts {
		if b.MalformedExample != "" {
			t.row("  malformed", "%q", b.MalformedExample)
		}
		if u := b.Upgrades; u != nil {
			t.row("upgrades", "%d of %d done, %d while messages were coming, %d failed",
				u.Done, u.Planned, u.InBurst, u.Failed)
		}
	}
}

func (t table) speed(s *Summary, r *Result) {
	t.spread("burst time", "%.3f", " s", s.Seconds)
	paced := ""
	if r.Scenario.GapMicros > 0 {
		paced = " (paced)"
	}
	t.spread("messages/s", "%.0f", paced, s.Rate)
	if s.ClientBoundRate != nil {
		bound := 0
		for _, b := range r.Bursts {
			if b.Client.Bottleneck {
				bound++
			}
		}
		t.row("THE CLIENT IS THE BOTTLENECK", "in %d of %d burst(s): no rate of the server there", bound, len(r.Bursts))
		t.spread("messages/s taken by this client", "%.0f", "", s.ClientBoundRate)
	}
	t.spread("latency p50", "%.0f", " us", s.P50)
	t.spread("latency p90", "%.0f", " us", s.P90)
	t.spread("latency p99", "%.0f", " us", s.P99)
	t.spread("latency p99.9", "%.0f", " us", s.P999)
	t.spread("latency max", "%.0f", " us", s.Max)
}

func (t table) load(s *Summary) {
	t.spread("server CPU per message", "%.2f", " us", s.PerMessage)
	t.spread("  user", "%.2f", " us", s.UserPerMessage)
	t.spread("  system", "%.2f", " us", s.SystemPerMessage)
	t.spread("client CPU per message", "%.2f", " us", s.ClientPerMessage)
	t.spread("client loop busy", "%.2f", "", s.ClientBusy)
	t.spread("client loop lag max", "%.0f", " us", s.ClientLagMax)
	t.spread("machine used by others", "%.2f", "", s.Others)
}

// metrics writes the figures that the other rows do not have: of a fan-out
// those with a floor, of other scenarios all.
func (t table) metrics(r *Result) {
	whole := r.Scenario.Name != "" && r.Scenario.Name != KindFanout
	bound := false
	for _, m := range r.Metrics {
		bound = bound || strings.HasSuffix(m.Name, ClientBound)
		if !whole && m.Floor == 0 {
			continue
		}
		name, value := m.Name, number(m.Value)
		if m.Unit != "" {
			value += " " + m.Unit
		}
		if len(m.Samples) > 1 {
			s := spread(slices.Clone(m.Samples))
			value += "  (" + number(s.Min) + " to " + number(s.Max) + ")"
		}
		if m.Floor > 0 {
			value += fmt.Sprintf("  floor %s, ratio %.2f", number(m.Floor), m.Ratio())
		}
		if !whole {
			name = "with floor: " + name
		}
		t.row(name, "%s", value)
	}
	if whole && bound {
		t.row("THE CLIENT IS THE BOTTLENECK", "no rate of the server where it says what this client took")
	}
}

// number writes a figure with the digits that mean something.
func number(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v) && size < 1e15:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}
