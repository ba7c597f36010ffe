// Package report reads the results that the load generator wrote, compares
// two sets of them, and shows them on a page.
//
// [Read] takes the files of `siren bench … --json FILE`: one result, several
// one after the other, or arrays of them. [Compare] pairs the runs of two such
// files and says of each metric whether it became better or worse, or whether
// nothing can be said; it rather says nothing than too much, see [Verdict].
// [WriteHTML] writes one page with plots and tables that needs nothing from
// elsewhere: no script, no font, no image.
//
// Whatever a file says is untrusted: it is escaped on the page, and control
// characters do not reach a terminal.
//
//	before, err := report.Read(fileA)
//	...
//	after, err := report.Read(fileB)
//	...
//	c := report.Compare(before, after)
//	err = c.WriteTable(os.Stdout, "before.json", "after.json")
//	if worse := c.Worse(10); len(worse) > 0 {
//		os.Exit(2)
//	}
//
// Everything here is a plain value or a pure function. Functions are safe for
// concurrent use as long as nobody changes the results that they read.
package report
