package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seed58c87869/siren/bench"
)

//go:embed page.html
var pageText string

//go:embed style.css
var styleText string

// pageTemplate escapes everything that comes from results.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"words": words,
}).Parse(pageText))

// page is what the template shows.
type page struct {
	Style  template.CSS // ours, not from a result
	Title  string
	Intro  string
	Alarms []remark
	Groups []group
}

// remark is a sentence about runs. Run is "" when there is only one.
type remark struct{ Run, Text string }

// group is the runs of one scenario.
type group struct {
	ID, Name string
	Runs     []runView
	Alarms   []remark
	Notes    []remark
	Figures  []figure
	Zero     string // metrics that are zero, in words
	Undrawn  int    // runs that the pictures leave out
	Numbers  []numberRow
	Many     bool // there are other runs on the page
	Floors   bool // some metric has a floor
}

// runView is one run on the page.
type runView struct {
	Letter, Label  string
	Class, Mark    string
	Where, Started string
	OK             bool
	Command        string
	Settings, Host []field
	Thresholds     []bench.Threshold
}

// numberRow is one line of a table of numbers.
type numberRow struct {
	Metric, Run, Unit, Better       string
	Median, Low, High, Floor, Ratio string
	Samples                         int
}

// WriteHTML writes a page that shows the results: a self-contained document
// with plots, the numbers in tables, what warns about them, the machines and
// the command lines. Results of the same scenario share plots. Several results
// are shown one by one, not pooled. Errors are those of w.
func WriteHTML(w io.Writer, results []bench.Result) error {
	var text strings.Builder
	if err := pageTemplate.Execute(&text, newPage(results)); err != nil {
		return err
	}
	_, err := io.WriteString(w, visibleOnly(text.String()))
	return err
}

// visibleOnly replaces control characters, which a page must not have, and
// marks that reorder text, which could make a name look like another.
func visibleOnly(page string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, page)
}

// newPage collects what the page shows.
func newPage(results []bench.Result) page {
	p := page{Style: template.CSS(styleText), Title: "Siren benchmark"}
	var scenarios []string
	runs := map[string][]run{}
	for _, result := range results {
		r := newRun(result)
		scenarios = appendOnce(scenarios, r.scenario)
		runs[r.scenario] = append(runs[r.scenario], r)
	}
	if len(scenarios) > 0 {
		p.Title += ": " + strings.Join(scenarios, ", ")
	}
	p.Intro = intro(results, len(scenarios))
	letter := 0
	for i, name := range scenarios {
		g := newGroup(name, runs[name], len(results) > 1, letter)
		letter += len(runs[name])
		g.ID = fmt.Sprintf("g%d", i)
		for n := range g.Figures {
			g.Figures[n].Drawing.ID = fmt.Sprintf("%s-f%d", g.ID, n)
		}
		for _, alarm := range g.Alarms {
			p.Alarms = remarkOn(p.Alarms, alarm.Run, alarm.Text)
		}
		p.Groups = append(p.Groups, g)
	}
	if text := machinesDiffer(results); text != "" {
		p.Alarms = append(p.Alarms, remark{Text: text})
	}
	return p
}

// intro says what the page is about in one line.
func intro(results []bench.Result, scenarios int) string {
	if len(results) == 0 {
		return "No results."
	}
	first, last := results[0].Started, results[0].Started
	for _, r := range results {
		if r.Started.Before(first) {
			first = r.Started
		}
		if r.Started.After(last) {
			last = r.Started
		}
	}
	text := fmt.Sprintf("%s of %s, %s", plural(len(results), "run"), plural(scenarios, "scenario"), moment(first))
	if moment(first) != moment(last) {
		text += " to " + moment(last)
	}
	return text
}

// plural returns a number with a noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// moment writes when something was.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// machinesDiffer says in what the machines of the runs differ, "" if they do
// not.
func machinesDiffer(results []bench.Result) string {
	var lists [][]field
	for _, r := range results {
		lists = append(lists, fieldsOf(r.Machine))
	}
	var names []string
	for _, f := range varying(lists) {
		names = append(names, words(f))
	}
	if len(names) == 0 {
		return ""
	}
	return "THE MACHINES DIFFER in " + strings.Join(names, ", ") + ": runs cannot be compared without regard to that"
}

// newGroup collects the runs of one scenario. The first run gets the letter
// with the number first.
func newGroup(name string, runs []run, many bool, first int) group {
	g := group{Name: name, Many: many, Undrawn: max(len(runs)-drawnMax, 0)}
	g.Floors = slices.ContainsFunc(runs, func(r run) bool {
		return slices.ContainsFunc(r.metrics, func(m metric) bool { return isFinite(m.ratio()) })
	})
	labels := runLabels(runs)
	for i, r := range runs {
		v := runView{
			Label: labels[i], Class: series(i), Mark: marker(i, 8, 8),
			Where: r.url(), Started: moment(r.results[0].Started), OK: r.results[0].OK, Command: r.command(),
			Settings: without(r.fields, scenarioField), Host: r.machine, Thresholds: r.results[0].Thresholds,
		}
		if strings.Contains(v.Label, v.Where) {
			v.Where = ""
		}
		if many {
			v.Letter = letters(first + i)
			labels[i] = strings.TrimSpace(v.Letter + " " + labels[i])
		}
		g.Runs = append(g.Runs, v)
		for _, text := range r.alarms() {
			g.Alarms = remarkOn(g.Alarms, v.Letter, text)
		}
		for _, text := range r.notes() {
			g.Notes = remarkOn(g.Notes, v.Letter, text)
		}
	}
	var zero []string
	g.Figures, zero = figuresOf(runs, labels)
	g.Zero = strings.Join(zero, ", ")
	g.Numbers = numbersOf(runs, g.Runs)
	return g
}

// remarkOn adds a run to a remark, or the remark if it is new.
func remarkOn(remarks []remark, run, text string) []remark {
	for i := range remarks {
		if remarks[i].Text == text {
			remarks[i].Run += ", " + run
			return remarks
		}
	}
	return append(remarks, remark{run, text})
}

// letters is A to Z, then AA and so on.
func letters(n int) string {
	text := ""
	for n++; n > 0; n = (n - 1) / 26 {
		text = string(rune('A'+(n-1)%26)) + text
	}
	return text
}

// runLabels tells runs apart by the settings in which they differ.
func runLabels(runs []run) []string {
	labels := make([]string, len(runs))
	if len(runs) < 2 {
		return labels
	}
	var lists [][]field
	for _, r := range runs {
		lists = append(lists, without(r.fields, scenarioField, "repeat"))
	}
	for _, name := range varying(lists) {
		for i, fields := range lists {
			value := valueOf(fields, name)
			if value == "" {
				continue
			}
			if value[0] >= '0' && value[0] <= '9' {
				value = words(name) + " " + value
			}
			labels[i] = strings.TrimPrefix(labels[i]+", "+value, ", ")
		}
	}
	return labels
}

// varying returns the names of the fields that are not the same in all lists.
func varying(lists [][]field) []string {
	var names []string
	for _, fields := range lists {
		for _, name := range union(lists[0], fields) {
			if valueOf(fields, name) != valueOf(lists[0], name) {
				names = appendOnce(names, name)
			}
		}
	}
	return names
}

// numbersOf returns the table of a group: each metric of each run.
func numbersOf(runs []run, views []runView) []numberRow {
	var rows []numberRow
	for _, name := range metricNames(runs) {
		for i, r := range runs {
			m, ok := r.metric(name)
			if !ok {
				continue
			}
			low, high := m.span()
			row := numberRow{
				Metric: name, Run: views[i].Letter, Unit: m.unit, Better: m.better,
				Median: number(m.value), Low: number(low), High: number(high), Floor: absent, Ratio: times(m.ratio()),
				Samples: m.count(),
			}
			if m.floor != 0 {
				row.Floor = number(m.floor)
			}
			rows = append(rows, row)
		}
	}
	return rows
}
