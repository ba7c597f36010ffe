// Command siren is the Siren broadcast server with its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by release builds with -ldflags "-X main.version=…".
var version = ""

// errReported ends the command with a non-zero exit code when the output has
// already said what is wrong.
var errReported = errors.New("reported")

func main() {
	os.Exit(execute(untilSignal(), os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if status := exitStatus(0); errors.As(err, &status) {
		return int(status)
	}
	if !errors.Is(err, errReported) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(stderr, "siren:", line)
		}
	}
	return 1
}

// newRootCommand assembles the command tree.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "siren",
		Short:         "Socket.IO server and load generator",
		SilenceErrors: true, // execute prints them
		SilenceUsage:  true,
	}
	root.AddCommand(newServeCommand(), newConfigCommand(), newTokenCommand(), newVersionCommand(), newBenchCommand())
	root.AddCommand(newEmitCommand(), newCtlCommand())
	return root
}

// newVersionCommand prints what was built from which sources with what.
func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "siren %s (%s, %s/%s)\n",
				buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// buildVersion is the version of a release, or what the toolchain knows.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
