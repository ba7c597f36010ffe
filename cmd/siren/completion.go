package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completeTree says for the commands of the tree what shells may complete: files only where a file is meant. What a
// command has registered for itself stays. Cobra adds the command completion, which writes the scripts.
func completeTree(c *cobra.Command) {
	for _, sub := range c.Commands() {
		completeTree(sub)
	}
	if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && c.Args != nil && c.Args(c, []string{"x"}) != nil && c.Args(c, []string{"x", "y"}) != nil {
		c.ValidArgsFunction = cobra.NoFileCompletions // it takes no arguments
	}
	complete := func(f *pflag.Flag) {
		if _, taken := c.GetFlagCompletionFunc(f.Name); !taken {
			if fn := flagCompletion(f); fn != nil {
				_ = c.RegisterFlagCompletionFunc(f.Name, fn)
			}
		}
	}
	c.LocalNonPersistentFlags().VisitAll(complete)
	c.PersistentFlags().VisitAll(complete)
}

// flagCompletion returns what shells complete as the value of a flag; nil means any file.
func flagCompletion(f *pflag.Flag) cobra.CompletionFunc {
	switch {
	case f.Name == "config":
		return filesOf("yaml", "yml")
	case f.Name == "html", f.Name == "output":
		return filesOf("html")
	case f.Name == "junit":
		return filesOf("xml")
	case f.Name == "json", f.Name == "profile", f.Name == "openmetrics":
		return nil
	}
	// Numbers and times, names of rooms and users, addresses: nothing that a shell could know.
	return cobra.NoFileCompletions
}

// completeWords registers the words that are the values of flags.
func completeWords(cmd *cobra.Command, words map[string][]string) {
	for flag, list := range words {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp))
	}
}

// filesOf completes files with one of the extensions.
func filesOf(extensions ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}
