package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// visible returns the commands that help shows, depth first.
func visible(c *cobra.Command) (list []*cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		list = append(append(list, sub), visible(sub)...)
	}
	return list
}

// render shows a page as man(1) does, without bold type and hyphens at the ends of lines.
func render(t *testing.T, page string) string {
	t.Helper()
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed")
	}
	cmd := exec.Command(groff, "-k", "-man", "-ww", "-rHY=0", "-rLL=120n", "-Tutf8", "-P-cbou")
	cmd.Stdin = strings.NewReader(page)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return out.String()
}

// The manual page has each command with its help, its flags and its example, as a terminal shows it; roff has nothing
// to complain about.
func TestManualPage(t *testing.T) {
	code, page, errs := command(t, "man")
	if code != 0 || errs != "" || !strings.HasPrefix(page, `.TH "SIREN" "1"`) {
		t.Fatalf("code %d, errors %q, page %.200s", code, errs, page)
	}
	text := strings.Join(strings.Fields(render(t, page)), " ")
	want := func(what, part string) {
		t.Helper()
		part = strings.NewReplacer("'", "'").Replace(strings.Join(strings.Fields(part), " "))
		if part != "" && !strings.Contains(text, part) {
			t.Errorf("the page lacks %s: %q", what, part)
		}
	}
	commands := 0
	for _, c := range visible(newRootCommand()) {
		if !c.Runnable() {
			continue
		}
		commands++
		name := c.CommandPath()
		want(name, name+" ")
		for para := range strings.SplitSeq(c.Long, "\n\n") {
			want("help of "+name, para)
		}
		for line := range strings.Lines(c.Example) {
			want("example of "+name, line)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if _, usage := pflag.UnquoteUsage(f); f.Name != "help" && !f.Hidden {
				want("flag of "+name, "--"+f.Name)
				want("flag --"+f.Name+" of "+name, usage)
			}
		})
	}
	if commands < 25 {
		t.Errorf("only %d commands", commands)
	}
	for _, hidden := range []string{childCommandName, millionServerName} {
		if strings.Contains(text, "bench "+hidden+" ") {
			t.Errorf("the page shows %s", hidden)
		}
	}
}
