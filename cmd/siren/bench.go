package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/bench"
)

// newBenchCommand groups the load scenarios.
func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on a Socket.IO server and measure it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFanoutCommand())
	return cmd
}

// fanoutFlags is what the command line says beyond bench.Config.
type fanoutFlags struct {
	config    bench.Config
	transport string
	gapMicros int64
	room      bool
	json      string
}

// newFanoutCommand is the broadcast scenario.
func newFanoutCommand() *cobra.Command {
	cmd, _ := buildFanoutCommand()
	return cmd
}

// buildFanoutCommand returns the command with what its flags are read into.
func buildFanoutCommand() (*cobra.Command, *fanoutFlags) {
	f := &fanoutFlags{}
	cmd := &cobra.Command{
		Use:   "fanout --url URL",
		Short: "One publisher, many subscribers: check every message, measure rate, latency and cost",
		Long: `Opens subscribers on a server that implements the load profile, has it publish
numbered messages to all of them, and checks that each gets each message once
and in order. Prints a table; the exit code is 1 when a connection failed or a
message was missing, duplicated, reordered or malformed.`,
		Example: `  siren bench fanout --url http://127.0.0.1:3000 --subscribers 2000 --broadcasts 50
  siren bench fanout --url http://127.0.0.1:3000 --transport upgrade --upgrade 100 --subscribers 200 --gap-us 20000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	c := &f.config
	flags := cmd.Flags()
	flags.StringVar(&c.URL, "url", "", "server, http://host:port[/path/]")
	flags.IntVar(&c.Subscribers, "subscribers", bench.DefaultSubscribers, "receiving sessions")
	flags.IntVar(&c.Broadcasts, "broadcasts", bench.DefaultBroadcasts, "messages of one burst")
	flags.IntVar(&c.Size, "size", bench.DefaultSize, "bytes of one message's text, 32 or more")
	flags.Int64Var(&f.gapMicros, "gap-us", 0, "microseconds between messages, 0 for back to back")
	flags.StringVar(&f.transport, "transport", string(bench.TransportWebSocket), "websocket, polling, or upgrade")
	flags.IntVar(&c.Upgrade, "upgrade", 0, "with --transport upgrade, how many subscribers upgrade (default all)")
	flags.BoolVar(&f.room, "room", false, "publish to a room that the subscribers join (the default)")
	flags.BoolVar(&c.All, "all", false, "publish to the whole namespace, without joining")
	flags.IntSliceVar(&c.PIDs, "pid", nil, "server process, may be repeated (default: who listens on the port)")
	flags.IntVar(&c.ConnectRate, "connect-rate", 0, "new subscribers per second, 0 for as fast as handshakes finish")
	flags.IntVar(&c.InFlight, "in-flight", bench.DefaultInFlight, "unfinished handshakes per client loop")
	flags.IntVar(&c.Repeat, "repeat", 1, "number of bursts")
	flags.IntVar(&c.Workers, "workers", 1, "client loops, one thread each")
	flags.DurationVar(&c.Timeout, "timeout", bench.DefaultTimeout, "bound of the whole run")
	flags.DurationVar(&c.Stall, "stall", bench.DefaultStall, "silence after which absent messages are missing")
	flags.StringVar(&f.json, "json", "", "also write the result to this file, - for standard output in place of the table")
	cmd.MarkFlagsMutuallyExclusive("room", "all")
	_ = cmd.MarkFlagRequired("url") // it is defined above, which is all that can go wrong
	return cmd, f
}

// finish moves the parsed flags into the configuration and checks it. A zero
// on the command line is not the default, so it is refused where zero means
// the default to the package.
func (f *fanoutFlags) finish() (bench.Config, error) {
	c := f.config
	for name, value := range map[string]int{
		"subscribers": c.Subscribers, "broadcasts": c.Broadcasts, "size": c.Size,
		"in-flight": c.InFlight, "repeat": c.Repeat, "workers": c.Workers,
		"timeout": int(c.Timeout), "stall": int(c.Stall),
	} {
		if value <= 0 {
			return c, fmt.Errorf("--%s must be greater than zero", name)
		}
	}
	if f.gapMicros < 0 || f.gapMicros > math.MaxInt64/int64(time.Microsecond) {
		return c, errors.New("--gap-us is out of range")
	}
	c.Gap = time.Duration(f.gapMicros) * time.Microsecond
	c.Transport = bench.Transport(f.transport)
	return c, c.Validate()
}

// run makes the measurement and prints it.
func (f *fanoutFlags) run(cmd *cobra.Command) error {
	config, err := f.finish()
	if err != nil {
		return err
	}
	result, err := bench.Run(cmd.Context(), config)
	if err != nil {
		return err
	}
	if f.json != "-" {
		if err := result.WriteTable(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	if f.json != "" {
		if err := writeJSON(f.json, cmd.OutOrStdout(), result); err != nil {
			return err
		}
	}
	if !result.OK {
		return errReported
	}
	return nil
}

// writeJSON writes the result to a file, or to out when the name is "-".
func writeJSON(name string, out io.Writer, result *bench.Result) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if name == "-" {
		_, err = out.Write(text)
		return err
	}
	return os.WriteFile(name, text, 0o644)
}
