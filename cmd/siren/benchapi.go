package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/cmd/siren/node/admin"
)

// newBenchAPICommand measures the HTTP API of a node.
func newBenchAPICommand() *cobra.Command {
	c := bench.APIConfig{}
	asJSON := false
	cmd := &cobra.Command{
		Use:   "api",
		Short: "Publish through the HTTP API of a node: rate, latency and cost of an event",
		Long: `Sends numbered events through the operators' listener of a node, on a number of
connections that are kept alive, one request at a time on each, to a room. With
--subscribers that many clients are in the room, and check that each event comes
once and in order; else nobody is. The exit code is 1 when a request failed or an
event was missing, duplicated or reordered.`,
		Example: `  siren bench api
  siren bench api --batch 100
  siren bench api --subscribers 10 --clients http://127.0.0.1:3000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case c.Connections < 1, c.Batch < 1, c.Batch > 1000, c.Subscribers < 0, c.Duration <= 0:
				return errors.New("--connections, --batch (at most 1000) and --duration must be greater than zero")
			}
			if c.Key == "" {
				c.Key = os.Getenv("SIREN_API_KEY")
			}
			r, err := bench.RunAPI(cmd.Context(), c)
			if err != nil {
				return err
			}
			if asJSON {
				text, err := json.MarshalIndent(r, "", "  ")
				if err != nil {
					return err
				}
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			} else if err := table(cmd.OutOrStdout(), fmt.Sprintf("API\t%d connections, %d events a request", r.Connections, r.Batch), apiRows(r)); err != nil {
				return err
			}
			if !r.OK {
				return errReported
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.URL, "url", "http://"+admin.DefaultAddress, "operators' listener of the node")
	flags.StringVar(&c.Key, "api-key", "", "key of the API (default: SIREN_API_KEY)")
	flags.IntVar(&c.Connections, "connections", 16, "connections that send")
	flags.IntVar(&c.Batch, "batch", 1, "events in a request")
	flags.DurationVar(&c.Duration, "duration", 5*time.Second, "how long to send")
	flags.IntVar(&c.Subscribers, "subscribers", 0, "clients that get every event and check it")
	flags.StringVar(&c.Clients, "clients", "http://127.0.0.1:3000", "clients' listener of the node, for --subscribers")
	flags.IntSliceVar(&c.PIDs, "pid", nil, "process of the node, may be repeated (default: who listens on the port)")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// apiRows returns the figures for people.
func apiRows(r *bench.APIResult) []string {
	rows := []string{
		fmt.Sprintf("events\t%d in %.1f s, %.0f a second", r.Emits, r.Seconds, r.PerSecond),
		fmt.Sprintf("request\t%d µs at the median, p99 %d µs, at most %d µs", r.Microseconds.P50, r.Microseconds.P99, r.Microseconds.Max),
		fmt.Sprintf("node's CPU\t%.2f µs an event, %.2f µs of it user", r.CPU, r.UserCPU),
	}
	if r.Overloaded > 0 {
		rows = append(rows, fmt.Sprintf("overloaded\t%d events were refused", r.Overloaded))
	}
	if r.Subscribers > 0 {
		rows = append(rows, fmt.Sprintf("deliveries\t%d to %d subscribers, %d missing, %d wrong", r.Deliveries, r.Subscribers, r.Missing, r.Wrong))
	}
	for _, p := range r.Problems {
		rows = append(rows, "problem\t"+p)
	}
	return rows
}
