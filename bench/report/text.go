package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// rule explains the verdicts below the tables.
const rule = `"same (within spread)": a Mann-Whitney U-test says that the samples of A and B may differ by chance, as it always
does of very few; and they overlap, or the medians differ by less than 20 %. "differs": neither direction is better.`

// WriteTable writes the comparison as aligned plain text. The names say where
// A and B come from.
func (c *Comparison) WriteTable(out io.Writer, nameA, nameB string) error {
	var t strings.Builder
	line := func(format string, args ...any) { t.WriteString(plain(fmt.Sprintf(format, args...)) + "\n") }
	line("A: %s", nameA)
	line("B: %s", nameB)
	for _, p := range c.Pairs {
		line("")
		line("%s", p.Scenario)
		for _, text := range p.Machines {
			line("  !! THE MACHINES DIFFER: %s", text)
		}
		for _, text := range p.Settings {
			line("  !! THE SCENARIOS DIFFER: %s", text)
		}
		for _, text := range p.Warnings {
			line("  !! %s", text)
		}
		for _, text := range p.Notes {
			line("  note %s", text)
		}
		t.WriteString(align(p.Rows))
	}
	if len(c.OnlyA)+len(c.OnlyB) > 0 {
		line("")
	}
	for _, text := range c.OnlyA {
		line("only in A: %s", text)
	}
	for _, text := range c.OnlyB {
		line("only in B: %s", text)
	}
	if len(c.Pairs) == 0 {
		line("")
		line("!! NOTHING TO COMPARE: A and B have no scenario in common")
	} else {
		t.WriteString("\n" + rule + "\n")
	}
	_, err := io.WriteString(out, t.String())
	return err
}

// align sets the rows in columns, numbers to the right.
func align(rows []Row) string {
	cells := [][]string{{"metric", "unit", "A median", "B median", "B/A", "A spread", "B spread", "verdict"}}
	for _, r := range rows {
		cells = append(cells, []string{
			plain(r.Metric), plain(r.Unit), number(r.A), number(r.B), times(r.Ratio), r.SpreadA, r.SpreadB, string(r.Verdict),
		})
	}
	return columns(cells, "llrrrrrl")
}

// columns pads cells; sides has "l" or "r" for each column.
func columns(rows [][]string, sides string) string {
	widths := make([]int, len(sides))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if sides[i] == 'r' {
				cell = pad + cell
			} else {
				cell += pad
			}
			line.WriteString(cell + "  ")
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}
