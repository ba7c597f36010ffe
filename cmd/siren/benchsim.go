package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/bench/sim"
)

// simFlags is what the command line of `siren bench sim` says.
type simFlags struct {
	config  sim.Config
	gogc    string
	memory  string
	outputs outputs
}

// newSimCommand simulates very many connections without sockets.
func newSimCommand() *cobra.Command {
	f := &simFlags{}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Very many connections without sockets: memory, cost of broadcasts, heartbeats and churn",
		Long: `Runs the server's sessions, rooms and namespaces in this process on event loops
and connections that are not real: no sockets, no kernel, no client. Measures
what a connection takes of memory and what a broadcast costs for each member,
from 1,000 connections up to --conns; heartbeats, connecting, joining, leaving
and disconnecting; and the garbage collector while 1 % of the connections are
replaced again and again.

A million connections take some 3 GiB of memory and one to two minutes. The exit
code is 1 when the run was cut short or went wrong.`,
		Example: `  siren bench sim --conns 1000000
  siren bench sim --conns 100000 --gogc 50 --memory-limit 2GiB --json sim.json
  siren bench sim --conns 200000 --profile /tmp/profiles`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags, c := cmd.Flags(), &f.config
	flags.IntVar(&c.Conns, "conns", sim.DefaultConns, "connections")
	flags.IntVar(&c.Loops, "loops", sim.DefaultLoops, "event loops, one thread each")
	flags.IntVar(&c.Rooms, "rooms", sim.DefaultRooms, "most rooms of a socket, where these are varied (with fewer sockets)")
	flags.StringVar(&f.gogc, "gogc", "", "second churn phase with this GOGC: a number, or off (with --memory-limit)")
	flags.StringVar(&f.memory, "memory-limit", "", "second churn phase with this memory limit, such as 3GiB or 800MiB")
	flags.DurationVar(&c.Churn, "churn", sim.DefaultChurn, "bound of each churn phase")
	flags.DurationVar(&c.Timeout, "timeout", sim.DefaultTimeout, "bound of the whole run")
	flags.StringVar(&c.ProfileDir, "profile", "", "directory for CPU profiles of the phases and a heap profile")
	f.outputs.flags(flags)
	return cmd
}

// finish moves the parsed flags into the configuration. A zero on the command line is not the default.
func (f *simFlags) finish() (c sim.Config, err error) {
	c = f.config
	if c.Conns < 1 || c.Loops < 1 || c.Rooms < 1 || c.Churn <= 0 || c.Timeout <= 0 {
		return c, fmt.Errorf("--conns, --loops, --rooms, --churn and --timeout must be greater than zero")
	}
	switch {
	case f.gogc == "off":
		c.GOGC = sim.GOGCOff
	case f.gogc != "":
		if c.GOGC, err = strconv.Atoi(f.gogc); err != nil || c.GOGC < 1 {
			return c, fmt.Errorf("--gogc must be a number above 0, or off, not %q", f.gogc)
		}
	}
	if f.memory != "" {
		if c.MemoryLimit, err = parseMemory(f.memory); err != nil {
			return c, err
		}
	}
	return c, nil
}

// parseMemory reads an amount of memory with a unit as GOMEMLIMIT has it.
func parseMemory(text string) (int64, error) {
	unit, digits := int64(1), text
	for shift, suffix := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			unit, digits = 1<<(10*shift), rest
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("--memory-limit must be a size such as 3GiB or 800MiB, not %q", text)
	}
	return n * unit, nil
}

// run makes the simulation and prints it.
func (f *simFlags) run(cmd *cobra.Command) error {
	config, err := f.finish()
	if err != nil {
		return err
	}
	progress := newProgressLine(cmd.ErrOrStderr())
	config.Progress = progress.count
	result, err := sim.Run(cmd.Context(), config)
	progress.end()
	if err != nil {
		return err
	}
	return f.outputs.write(cmd, result, func(w io.Writer) error { return sim.WriteTable(w, result) })
}
