package sim

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed58c87869/siren/bench"
)

// WriteTable writes a result of Run as aligned plain text: the figures by phase, then the curves.
func WriteTable(out io.Writer, r *bench.Result) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	s, m := &r.Scenario, &r.Machine
	row(w, "simulation", "%s connections over %s, on %d fake loop(s)", group(float64(s.Subscribers)), s.Transport, s.Workers)
	row(w, "machine", "%d CPUs, %s, Linux %s, %s", m.CPUs, m.Arch, m.Kernel, m.Go)
	phase := ""
	for _, f := range r.Metrics {
		p, name := cut(f.Name)
		if p != phase {
			row(w, "", "")
			row(w, strings.ToUpper(p), "")
			phase = p
		}
		row(w, "  "+name, "%s", figure(f))
	}
	writeCurves(w, r.Curves)
	row(w, "", "")
	for _, problem := range r.Problems {
		row(w, "PROBLEM", "%s", problem)
	}
	for _, note := range r.Notes {
		row(w, "note", "%s", note)
	}
	if r.Partial != "" {
		row(w, "PARTIAL", "the run ended early: %s", r.Partial)
	}
	verdict := "ok"
	if !r.OK {
		verdict = "FAILED: " + failure(r)
	}
	row(w, "verdict", "%s", verdict)
	_ = w.Flush() // a buffer takes everything
	for line := range bytes.Lines(text.Bytes()) {
		if _, err := fmt.Fprintf(out, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// failure says in one line why a run failed.
func failure(r *bench.Result) string {
	switch {
	case r.Partial != "":
		return "the run ended early: " + r.Partial
	case len(r.Problems) > 0:
		return r.Problems[0]
	default:
		return "it was not complete"
	}
}

// row writes one row.
func row(w io.Writer, name, format string, args ...any) {
	fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
}

// cut parts a figure's name from that of its phase.
func cut(name string) (phase, rest string) {
	phase, rest, ok := strings.Cut(name, ": ")
	if !ok {
		return "", name
	}
	return phase, rest
}

// figure returns the value of a metric, its unit, the extremes of its samples and its floor.
func figure(m bench.Metric) string {
	text := digits(m.Value)
	if m.Unit != "" {
		text += " " + m.Unit
	}
	if len(m.Samples) > 1 {
		text += "  (" + digits(quantile(m.Samples, 0)) + " to " + digits(quantile(m.Samples, 1)) + ")"
	}
	if m.Floor > 0 {
		text += "  floor " + digits(m.Floor)
	}
	return text
}

// writeCurves writes each curve as one row of points.
func writeCurves(w io.Writer, curves []bench.Curve) {
	for _, x := range []axis{overConns, overRooms} {
		first := true
		for _, c := range curves {
			if c.X != x.name {
				continue
			}
			if first {
				row(w, "", "")
				row(w, "BY "+strings.ToUpper(x.name), "")
				first = false
			}
			var points []string
			for _, p := range c.Points {
				points = append(points, group(p[0])+": "+digits(p[1]))
			}
			row(w, "  "+strings.TrimSuffix(c.Name, " over "+x.name)+", "+c.YUnit, "%s", strings.Join(points, "   "))
		}
	}
}

// digits writes a figure with those digits that mean something.
func digits(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1000 || v == math.Trunc(v) && size < 1e15:
		return group(v)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// group writes a whole number with its thousands apart.
func group(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
