package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
)

// newConfigCommand is everything about the configuration besides running with it.
func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Write, check and show the configuration of a node",
	}
	for _, c := range []struct {
		use, short string
		text       func() string
	}{
		{"init", "Write a commented file with all keys and their defaults", config.Sample},
		{"schema", "Write the JSON Schema of the file", func() string { return string(config.JSONSchema()) }},
		{"reference", "Write the reference page, in Markdown", config.Reference},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: c.use, Short: c.short, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := io.WriteString(cmd.OutOrStdout(), c.text())
				return err
			},
		})
	}
	cmd.AddCommand(newConfigCheckCommand(), newConfigShowCommand())
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Tell every error of a file",
		Long:    "Tells every error of a file, with line and key. The environment is not looked at. The exit code is 1 if there is one.",
		Example: "  siren config check siren.yaml",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: filesOf("yaml", "yml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := config.Load(config.Sources{File: args[0]}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", args[0])
			return err
		},
	}
}

func newConfigShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show what is in force and where each value comes from",
		Long: `Shows the value of every key and where it comes from: a flag, a variable of the
environment, a line of the file, or its default. It takes the flags of serve.
Secrets are masked.`,
		Example: "  siren config show --config siren.yaml --log-level debug",
		Args:    cobra.NoArgs,
	}
	flags := config.AddFlags(cmd.Flags())
	completeWords(cmd, flags.Enums())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := config.Load(config.Sources{File: flags.File, Environ: os.Environ(), Flags: flags})
		if err != nil {
			return err
		}
		for _, w := range loaded.Warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), "siren:", w)
		}
		return loaded.Show(cmd.OutOrStdout())
	}
	return cmd
}
