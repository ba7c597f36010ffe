package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/million"
)

// millionServerName is the hidden command that is the server of a run with a million clients.
const millionServerName = "million-server"

const millionHelp = `Starts a Siren server and client processes on this machine, connects a million
clients over WebSocket, has two broadcasts sent to all of them, and counts what
arrives. Tells how many came in, how fast, what the server's memory is, and when
the last client had each broadcast.

Every connection is a real one, with two sockets of the kernel. A million take
about 11 GiB of memory, most of it the kernel's, and two to five minutes on two
CPUs. Before it starts, the command checks the machine's limits, and says what to
set if they are too low. The limit of open files of a process need not be a
million: with a lower one, each event loop gets a table of file descriptors of
its own. Fewer --clients show the same with less.

The exit code is 1 when a client stayed out, was lost, or missed a broadcast.`

// newMillionCommand puts a million clients on this machine.
func newMillionCommand() *cobra.Command {
	c, asJSON := million.Config{}, ""
	cmd := &cobra.Command{
		Use:     "million",
		Short:   "A million clients on this machine: do all come in, and get what is broadcast?",
		Long:    millionHelp,
		Example: "  siren bench million\n  siren bench million --clients 50000 --json million.json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runMillion(cmd, c, asJSON) },
	}
	flags := cmd.Flags()
	flags.IntVar(&c.Clients, "clients", 1_000_000, "clients, one of which publishes")
	flags.IntVar(&c.Broadcasts, "broadcasts", 2, "broadcasts to all of them, one after the other")
	flags.IntVar(&c.Size, "size", bench.DefaultSize, "bytes of a broadcast's text, 32 or more")
	flags.DurationVar(&c.PingInterval, "ping-interval", 150*time.Second, "the server's time between two heartbeats of a client")
	flags.DurationVar(&c.PingTimeout, "ping-timeout", 100*time.Second, "how long a client may take to answer one")
	flags.IntVar(&c.ConnectRate, "connect-rate", 0, "new clients per second, 0 for as fast as handshakes finish")
	flags.DurationVar(&c.Timeout, "timeout", 15*time.Minute, "bound of the whole run")
	flags.DurationVar(&c.Stall, "stall", time.Minute, "silence after which what is absent counts as missing")
	flags.BoolVar(&c.Force, "force", false, "start even if the machine seems too small")
	flags.StringVar(&asJSON, "json", "", "also write the result to this file, - for standard output in place of the table")
	return cmd
}

// newMillionServerCommand is the server of such a run, as a process of its own.
func newMillionServerCommand() *cobra.Command {
	return &cobra.Command{
		Use: millionServerName, Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return million.Serve(os.Stdin, os.Stdout) },
	}
}

// runMillion makes the run and prints it.
func runMillion(cmd *cobra.Command, c million.Config, asJSON string) error {
	if c.Broadcasts < 1 || c.PingInterval <= 0 || c.PingTimeout <= 0 || c.Timeout <= 0 || c.Stall <= 0 {
		return errors.New("--broadcasts, --ping-interval, --ping-timeout, --timeout and --stall must be greater than zero")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the path of this program: %w", err)
	}
	c.Server = []string{self, "bench", millionServerName}
	c.Child = []string{self, "bench", childCommandName}
	progress := newProgressLine(cmd.ErrOrStderr())
	c.Progress = progress.update
	c.Planned = func(p million.Plan) { fmt.Fprintln(cmd.ErrOrStderr(), "siren:", p) }
	r, err := million.Run(cmd.Context(), c)
	progress.end()
	if err != nil {
		return err
	}
	if asJSON != standardStream {
		if err := r.WriteTable(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	if asJSON != "" {
		if err := writeJSON(asJSON, cmd.OutOrStdout(), r.Fanout); err != nil {
			return err
		}
	}
	if !r.Fanout.OK {
		return errReported
	}
	return nil
}
