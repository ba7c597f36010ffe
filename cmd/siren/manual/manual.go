// Package manual writes the manual page of a command line from its tree of commands: the same names, texts and flags that
// --help shows and that shells complete. It is our own because the generator of cobra makes a page for each command, and
// needs a Markdown parser for it; this one makes a single page, in the language of man(7).
package manual

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Page is what a manual page has besides the commands. A plain value.
type Page struct {
	// Date is the page's date, as 2026-11-29; Source the program with its version.
	Date, Source string
	// Sections come after the commands, in this order: a title, and a text like that of a command's help.
	Sections []Section
}

// Section is a part of a page.
type Section struct{ Title, Text string }

// Write writes the page of all commands below root that are not hidden. The order of commands is that of --help.
func (p Page) Write(out io.Writer, root *cobra.Command) error {
	w := &writer{}
	w.macro("TH", strings.ToUpper(root.Name()), "1", p.Date, p.Source, "User Commands")
	w.macro("SH", "NAME")
	w.line(root.Name() + " \\- " + escape(lowerFirst(root.Short)))
	w.macro("SH", "SYNOPSIS")
	w.macro("nf")
	for _, c := range runnable(root) {
		w.usage(c)
	}
	w.macro("fi")
	w.macro("SH", "DESCRIPTION")
	w.text(help(root))
	w.macro("SH", "COMMANDS")
	for _, c := range runnable(root) {
		w.command(c)
	}
	for _, s := range p.Sections {
		w.macro("SH", s.Title)
		w.text(s.Text)
	}
	_, err := io.WriteString(out, w.b.String())
	return err
}

// runnable returns the commands that do something, depth first.
func runnable(c *cobra.Command) (list []*cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		if sub.Runnable() {
			list = append(list, sub)
		}
		list = append(list, runnable(sub)...)
	}
	return list
}

// help is the long text of a command, or the short one as a sentence.
func help(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	if first, _, _ := strings.Cut(s, " "); strings.ContainsAny(first, ".") || first == strings.ToUpper(first) {
		return s // a name, such as Socket.IO
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// writer writes man(7).
type writer struct{ b strings.Builder }

// line writes a line that is escaped already.
func (w *writer) line(s string) { w.b.WriteString(s + "\n") }

// macro writes a macro with its arguments.
func (w *writer) macro(name string, args ...string) {
	w.b.WriteString("." + name)
	for _, a := range args {
		w.b.WriteString(` "` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`)
	}
	w.b.WriteString("\n")
}

// usage writes the line of a command: its name bold, the rest as it is.
func (w *writer) usage(c *cobra.Command) {
	path := c.CommandPath()
	rest := strings.TrimPrefix(strings.TrimSuffix(c.UseLine(), " [flags]"), path)
	flags := ""
	if c.HasAvailableFlags() {
		flags = " [\\fIflags\\fR]"
	}
	w.line("\\fB" + escape(path) + "\\fR" + flags + escape(rest))
}

// command writes what --help says about a command.
func (w *writer) command(c *cobra.Command) {
	w.macro("SS", strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" "))
	w.text(help(c))
	own, inherited := c.NonInheritedFlags(), c.InheritedFlags()
	w.flags(own)
	w.flags(inherited)
	if c.HasExample() {
		w.macro("PP")
		w.line(plural(c.Example) + ":")
		w.block(strings.Split(strings.Trim(c.Example, "\n"), "\n"))
	}
}

func plural(example string) string {
	if strings.Contains(strings.Trim(example, "\n"), "\n") {
		return "Examples"
	}
	return "Example"
}

// flags writes the flags of a set, except --help, which all commands have.
func (w *writer) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		w.macro("TP")
		head := "\\fB" + escape("--"+f.Name) + "\\fR"
		if f.Shorthand != "" {
			head = "\\fB" + escape("-"+f.Shorthand) + "\\fR, " + head
		}
		if value != "" {
			head += " \\fI" + escape(value) + "\\fR"
		}
		w.line(head)
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		w.lines(usage)
	})
}

// text writes paragraphs. Those that are indented, as tables and examples are, keep their lines.
func (w *writer) text(s string) {
	for para := range strings.SplitSeq(strings.Trim(s, "\n"), "\n\n") {
		para = strings.Trim(para, "\n")
		if para == "" {
			continue
		}
		if lines := strings.Split(para, "\n"); indented(lines) {
			w.block(lines)
			continue
		}
		w.macro("PP")
		w.lines(para)
	}
}

// indented reports whether lines are to be kept: at least one begins with spaces.
func indented(lines []string) bool {
	for _, l := range lines {
		if strings.HasPrefix(l, "  ") {
			return true
		}
	}
	return false
}

// block writes lines as they are.
func (w *writer) block(lines []string) {
	w.macro("PP")
	w.macro("nf")
	for _, l := range lines {
		w.lines(l)
	}
	w.macro("fi")
}

// lines writes text whose lines are filled.
func (w *writer) lines(s string) {
	for l := range strings.SplitSeq(s, "\n") {
		l = escape(l)
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			l = `\&` + l
		}
		w.line(l)
	}
}

// escape makes text safe for roff: backslashes, and the signs that it would replace by typographic ones.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
}
