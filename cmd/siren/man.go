package main

import (
	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/manual"
)

// manSections are what the manual page has that no command's help has.
var manSections = []manual.Section{
	{Title: "EXIT STATUS", Text: `0 when the command did what it says, 1 when something went wrong. bench compare
with --fail-worse exits with 2 when a figure became worse. serve exits with 3 when
it was told to end, and something that was queued for a client was not written.`},
	{Title: "ENVIRONMENT", Text: `Each key of the configuration has a variable: SIREN_ and the key in capital
letters, with __ between its parts, as SIREN_LOG__LEVEL for log.level. siren
config reference lists them. SIREN_API_KEY is the key that emit, ctl and bench
api use.`},
	{Title: "SIGNALS", Text: `SIGTERM and SIGINT drain siren serve; a second one ends it at once. SIGHUP has it
read its configuration again if there is a file, and ends it otherwise.`},
	{Title: "SEE ALSO", Text: `siren config reference writes the reference of the configuration. The pages in
docs/ of the sources say more about each command.`},
}

// newManCommand writes the manual page.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Write the manual page",
		Long:    "Writes the manual page of siren and all its commands, for man(1), to standard output.",
		Example: "  siren man | man -l -\n  siren man > /usr/local/share/man/man1/siren.1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			day := b.CommitDate[:min(len("2006-01-02"), len(b.CommitDate))]
			page := manual.Page{Date: day, Source: "siren " + b.Version, Sections: manSections}
			return page.Write(cmd.OutOrStdout(), cmd.Root())
		},
	}
}
