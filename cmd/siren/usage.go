package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// usageError reports a command line that the command does not understand, and names the help. Immutable.
type usageError struct {
	err     error
	command string // with its parents, such as "siren config check"
}

func (e *usageError) Error() string {
	text := strings.TrimSpace(e.err.Error())
	if strings.Contains(text, "\n") {
		return text + "\nsee " + e.command + " --help"
	}
	return text + "; see " + e.command + " --help"
}

func (e *usageError) Unwrap() error { return e.err }

// explainUsage makes the commands of a tree name their help when they do not understand their flags or arguments.
// Commands that only group others refuse unknown ones, where cobra would print the help and succeed.
func explainUsage(c *cobra.Command) {
	for _, sub := range c.Commands() {
		explainUsage(sub)
	}
	wrong := func(c *cobra.Command, err error) error {
		if err == nil {
			return nil
		}
		return &usageError{err, c.CommandPath()}
	}
	c.SetFlagErrorFunc(wrong)
	if c.HasSubCommands() && !c.Runnable() {
		c.Args, c.RunE = unknownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error { return wrong(c, check(c, args)) }
	}
}

// unknownCommand refuses arguments where a command is expected, and tells similar ones.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		text += "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return errors.New(text)
}
