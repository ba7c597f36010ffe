package manual

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What roff would take for its own comes out as text: dots and quotes at the start of a line, backslashes, dashes.
func TestPageEscapes(t *testing.T) {
	root := &cobra.Command{Use: "tool", Short: "Does things"}
	sub := &cobra.Command{
		Use: "run FILE", Short: "Run it", Run: func(*cobra.Command, []string) {},
		Long:    "First.\n\n.hidden files and 'quotes' a\\b\nx-y\n\n  indented  --as is\n.too\n\nEnd ~ ^ `.",
		Example: "  tool run x",
	}
	sub.Flags().String("name", "a\"b", "the `word` of it")
	sub.Flags().BoolP("quick", "q", false, "be quick")
	secret := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(sub, secret)
	var b strings.Builder
	page := Page{Date: "2026-01-02", Source: "tool 1", Sections: []Section{{"NOTES", "One."}}}
	if err := page.Write(&b, root); err != nil {
		t.Fatal(err)
	}
	want := `.TH "TOOL" "1" "2026\-01\-02" "tool 1" "User Commands"
.SH "NAME"
tool \- does things
.SH "SYNOPSIS"
.nf
\fBtool run\fR [\fIflags\fR] FILE
.fi
.SH "DESCRIPTION"
.PP
Does things.
.SH "COMMANDS"
.SS "run"
.PP
First.
.PP
\&.hidden files and \(aqquotes\(aq a\eb
x\-y
.PP
.nf
  indented  \-\-as is
\&.too
.fi
.PP
End \(ti \(ha \(ga.
.TP
\fB\-\-name\fR \fIword\fR
the word of it (default a"b)
.TP
\fB\-q\fR, \fB\-\-quick\fR
be quick
.PP
Example:
.PP
.nf
  tool run x
.fi
.SH "NOTES"
.PP
One.
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
