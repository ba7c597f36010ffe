package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/bench/profile"
)

// profileFile is the name that init gives a profile.
const profileFile = "siren-bench.yaml"

// newBenchRunCommand carries out a profile.
func newBenchRunCommand() *cobra.Command {
	var out outputs
	var pids []int
	url := ""
	cmd := &cobra.Command{
		Use:   "run PROFILE",
		Short: "Put the load of a profile on any Socket.IO server",
		Long: `Carries out a profile: a YAML file that says how users connect, what they join
and publish, which event they expect, in which stages they come and go, and
which thresholds must hold. siren bench init writes one with comments.

The exit code is 1 when a threshold does not hold or the run ended early. Counts
of faults (connect_failed, lost, publish_failed, unanswered, missing,
duplicated, reordered, malformed) must be 0 unless the profile has a threshold
for them. The first user is tried before: if it does not get in, the error says
what was expected, what came, and what to do.`,
		Example: `  siren bench init
  siren bench run ` + profileFile + `
  siren bench run chat.yaml --url https://chat.example.com --html chat.html --junit chat.xml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := profile.Load(args[0])
			if err != nil {
				return err
			}
			if url != "" {
				if err := p.SetTarget(url); err != nil {
					return err
				}
			}
			progress := newProgressLine(cmd.ErrOrStderr())
			result, err := profile.Run(cmd.Context(), p, profile.Options{PIDs: pids, Progress: progress.update})
			progress.end()
			if err != nil {
				return err
			}
			return out.write(cmd, result, result.WriteTable)
		},
		ValidArgsFunction: filesOf("yaml", "yml"),
	}
	flags := cmd.Flags()
	flags.StringVar(&url, "url", "", "server, in place of the profile's target")
	flags.IntSliceVar(&pids, "pid", nil, "server process, may be repeated (default: who listens on the port)")
	out.flags(flags)
	return cmd
}

// newBenchInitCommand writes a profile.
func newBenchInitCommand() *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a profile with comments, to begin with",
		Long: `Writes a profile for siren bench run with a comment for every key. As it is, it
puts load on siren serve at http://127.0.0.1:3000. The file is ` + profileFile + `
unless another one is named; - is standard output.`,
		Example: "  siren bench init\n  siren bench init chat.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := profileFile
			if len(args) > 0 {
				name = args[0]
			}
			if name == "-" {
				_, err := cmd.OutOrStdout().Write(profile.Sample())
				return err
			}
			mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
			if force {
				mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
			}
			f, err := os.OpenFile(name, mode, 0o644)
			if os.IsExist(err) {
				return fmt.Errorf("%s is there already; --force replaces it", name)
			}
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := f.Write(profile.Sample()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is written. Change what is different in your server, and run:\n\n  siren bench run %s\n", name, name)
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	return cmd
}
