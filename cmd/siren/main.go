// Command siren is the Siren broadcast server with its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

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
		Version:       thisBuild().String(), // of --version
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(newServeCommand(), newConfigCommand(), newTokenCommand(), newVersionCommand(), newBenchCommand())
	root.AddCommand(newEmitCommand(), newCtlCommand(), newManCommand())
	completeTree(root)
	explainUsage(root)
	return root
}
