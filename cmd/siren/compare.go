package main

import (
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/report"
)

// exitStatus ends the command with this exit code when the output has already
// said why.
type exitStatus int

// Error implements error.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// exitWorse is the exit code of --fail-worse.
const exitWorse exitStatus = 2

// standardStream is the file name that means standard input or output.
const standardStream = "-"

// newCompareCommand compares two result files.
func newCompareCommand() *cobra.Command {
	var failWorse float64
	cmd := &cobra.Command{
		Use:   "compare A.json B.json",
		Short: "Compare two result files: what became better or worse",
		Long: `Compares the results of two files that were written with --json, metric by
metric. A file may hold several results, as an array or one after the other;
those of the same scenario on the same server and machine count together. "-"
is standard input.

A difference counts when a Mann-Whitney U-test says that it is seldom chance
(less than one time in twenty), which takes 4 samples on each side, or more if
they overlap. It also counts when no samples overlap and the medians are at
least 20 % apart.

The exit code is 1 when a file cannot be read. With --fail-worse it is 2 when a
metric became worse and lies by more than that many percent beyond the spread
of A, when a run failed in B only, and when nothing could be compared.`,
		Args: cobra.ExactArgs(2),

		ValidArgsFunction: filesOf("json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			strict := cmd.Flags().Changed("fail-worse")
			if strict && !(failWorse >= 0 && failWorse <= math.MaxFloat64) {
				return fmt.Errorf("--fail-worse must be a percentage of zero or more")
			}
			return compareFiles(cmd, args[0], args[1], strict, failWorse)
		},
	}
	cmd.Flags().Float64Var(&failWorse, "fail-worse", 0, "exit with 2 when a metric is worse by more than so many percent beyond the spread")
	return cmd
}

// compareFiles prints the comparison, and with strict what is worse.
func compareFiles(cmd *cobra.Command, nameA, nameB string, strict bool, percent float64) error {
	a, err := readResults(cmd.InOrStdin(), nameA)
	if err != nil {
		return err
	}
	b, err := readResults(cmd.InOrStdin(), nameB)
	if err != nil {
		return err
	}
	c := report.Compare(a, b)
	if err := c.WriteTable(cmd.OutOrStdout(), nameA, nameB); err != nil {
		return err
	}
	if !strict {
		return nil
	}
	worse := c.Worse(percent)
	for _, text := range worse {
		fmt.Fprintln(cmd.ErrOrStderr(), "siren: worse:", text)
	}
	if len(worse) > 0 {
		return exitWorse
	}
	return nil
}

// newReportCommand writes a page about result files.
func newReportCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "report RESULT.json... --output REPORT.html",
		Short: "Write an HTML page with plots and tables from result files",
		Long: `Writes a page that shows the results of files that were written with --json:
plots, the numbers in tables, warnings, machines and command lines. The page is
one file that needs nothing from elsewhere and runs no script. A file may hold
several results. "-" is standard input or output.`,
		Args: cobra.MinimumNArgs(1),

		ValidArgsFunction: filesOf("json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var results []bench.Result
			for _, name := range args {
				more, err := readResults(cmd.InOrStdin(), name)
				if err != nil {
					return err
				}
				results = append(results, more...)
			}
			return writeForm(output, cmd.OutOrStdout(), report.WriteHTML, results)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output")
	_ = cmd.MarkFlagRequired("output") // it is defined above, which is all that can go wrong
	return cmd
}

// readResults reads a file, or in when the name is "-".
func readResults(in io.Reader, name string) ([]bench.Result, error) {
	if name != standardStream {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	results, err := report.Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return results, nil
}
