package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// newDrainCommand ends a node.
func newDrainCommand(to *target) *cobra.Command {
	var timeout, spread time.Duration
	cmd := &cobra.Command{
		Use: "drain", Short: "End the node, as SIGTERM does: its clients reconnect elsewhere", Args: cobra.NoArgs,
		Long: `Begins to drain the node and returns at once: new clients are refused, the others
are disconnected over some time, and then the process ends. A node that drains
already is left as it is.`,
		Example: "  siren ctl drain\n  siren ctl drain --timeout 60s --spread 30s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			body := map[string]any{}
			for name, d := range map[string]time.Duration{"timeout": timeout, "spread": spread} {
				if cmd.Flags().Changed(name) {
					body[name+"_ms"] = d.Milliseconds()
				}
			}
			var done struct {
				Sessions  int
				TimeoutMS int64 `json:"timeout_ms"`
				SpreadMS  int64 `json:"spread_ms"`
			}
			answer, err := to.call(cmd.Context(), "drain", body, &done)
			if err != nil {
				return err
			}
			ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
			return to.tell(cmd.OutOrStdout(), answer, fmt.Sprintf("draining: %d sessions end over %v, within %v",
				done.Sessions, ms(done.SpreadMS), ms(done.TimeoutMS)))
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long it may take (default: drain.timeout of the node)")
	cmd.Flags().DurationVar(&spread, "spread", 0, "the time over which clients are disconnected (default: drain.spread of the node)")
	return cmd
}
