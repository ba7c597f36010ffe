package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	fanout, _ := buildFanoutCommand()
	cmd.AddCommand(fanout)
	for _, s := range scenarios() {
		other, _ := s.command()
		cmd.AddCommand(other)
	}
	cmd.AddCommand(newBenchRunCommand(), newBenchInitCommand())
	cmd.AddCommand(newBenchAPICommand(), newSimCommand(), newCompareCommand(), newReportCommand(), newChildCommand())
	cmd.AddCommand(newMillionCommand(), newMillionServerCommand(), newBenchClusterCommand(), newClusterNodeCommand())
	return cmd
}

// fanoutScenario is the broadcast scenario, which has flags of its own.
var fanoutScenario = scenario{
	kind: bench.KindFanout, short: "One publisher, many subscribers: check every message, measure rate, latency and cost",
	long: `Opens subscribers on a server that implements the load profile, has it publish
numbered messages to all of them, and checks that each gets each message once
and in order. Prints a table; the exit code is 1 when a connection failed or a
message was missing, duplicated, reordered or malformed.`,
	example: `  siren bench fanout --url http://127.0.0.1:3000 --subscribers 2000 --broadcasts 50
  siren bench fanout --url http://127.0.0.1:3000 --subscribers 500 --gap-us 20000 --repeat 5
  siren bench fanout --url http://127.0.0.1:3000 --transport upgrade --upgrade 100 --subscribers 200 --gap-us 20000`,
	defaults: scenarioDefaults{
		subscribers: bench.DefaultSubscribers, broadcasts: bench.DefaultBroadcasts, size: bench.DefaultSize,
		repeat: 1, transport: bench.TransportWebSocket,
	},
	groups: []flagGroup{serverFlags, sizeFlag, burstFlags, fanoutFlags},
}

// fanoutFlags are those that no other scenario has.
func fanoutFlags(f *benchFlags, flags *pflag.FlagSet, d scenarioDefaults) {
	c := &f.config
	flags.StringVar(&f.transport, "transport", string(d.transport), "websocket, polling, or upgrade")
	flags.IntVar(&c.Upgrade, "upgrade", 0, "with --transport upgrade, how many subscribers upgrade (default all)")
	flags.BoolVar(&f.room, "room", false, "publish to a room that the subscribers join (the default)")
	flags.BoolVar(&c.All, "all", false, "publish to the whole namespace, without joining")
}

// buildFanoutCommand returns the command with what its flags are read into.
func buildFanoutCommand() (*cobra.Command, *benchFlags) {
	cmd, f := fanoutScenario.command()
	cmd.MarkFlagsMutuallyExclusive("room", "all")
	return cmd, f
}

// run makes the measurement and prints it.
func (f *benchFlags) run(cmd *cobra.Command) error {
	config, err := f.finish()
	if err != nil {
		return err
	}
	progress := newProgressLine(cmd.ErrOrStderr())
	config.Progress = progress.update
	result, err := bench.Run(cmd.Context(), config)
	progress.end()
	if err != nil {
		return err
	}
	return f.outputs.write(cmd, result, result.WriteTable)
}
