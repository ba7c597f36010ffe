package million

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the result as aligned text.
func (r *Result) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	f := r.Fanout
	row("machine", "%d CPUs, Linux %s, %s", f.Machine.CPUs, f.Machine.Kernel, f.Machine.Go)
	row("spread", "%s", r.Plan)
	for _, c := range f.Connects {
		// The publisher was there before.
		row("clients", "%d of %d in %.1f s, %.0f a second; %d attempts repeated, %d lost later",
			c.Connected+1, r.Plan.Clients, c.Seconds, float64(c.Connected)/c.Seconds, c.Retried, c.Lost)
	}
	if m := f.Memory; m != nil {
		row("server memory", "%.0f MiB RSS, %.2f KiB a client", float64(m.After)/(1<<20), m.PerConnection/(1<<10))
	}
	for i, b := range f.Bursts {
		row(fmt.Sprintf("broadcast %d", i+1), "%d of %d clients got %d bytes, the last after %.1f s; %d twice, %d malformed",
			b.Delivered, r.Plan.Clients, f.Scenario.Size, b.Seconds, b.Duplicated, b.Malformed)
	}
	for _, p := range f.Problems {
		row("PROBLEM", "%s", p)
	}
	for _, n := range append(r.Plan.Notes, f.Notes...) {
		row("note", "%s", n)
	}
	verdict := "ok"
	if !f.OK {
		verdict = "FAILED: " + strings.Join(f.Reasons, "; ")
	}
	row("verdict", "%s", verdict)
	return w.Flush()
}

// String says how the clients are spread.
func (p Plan) String() string {
	loops := "one event loop per CPU"
	if p.PrivateFiles {
		loops = fmt.Sprintf("%d event loops, each with a table of file descriptors", p.Loops)
	}
	return fmt.Sprintf("%d clients in %d processes; a server on port %d with %s; about %s of memory in all",
		p.Clients, p.Processes, p.Port, loops, gib(p.Memory))
}
