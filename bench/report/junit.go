package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/seed58c87869/siren/bench"
)

// The elements of JUnit XML that the tools for continuous integration read.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Output     string          `xml:"system-out,omitempty"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the checks of the results as JUnit XML: a suite for each result, with a test for whether it is
// complete, one for faults, and one for each threshold. Settings and figures are properties. Errors are those of w.
func WriteJUnit(w io.Writer, results []bench.Result) error {
	var all junitSuites
	for i := range results {
		s := suiteOf(&results[i])
		all.Suites = append(all.Suites, s)
		all.Tests += s.Tests
		all.Failures += s.Failures
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

// suiteOf returns the checks of one result.
func suiteOf(r *bench.Result) junitSuite {
	described := newRun(*r)
	name := "siren bench " + described.scenario
	if r.Scenario.Profile != "" {
		name += " " + r.Scenario.Profile
	}
	seconds := fmt.Sprintf("%.3f", r.Scenario.Seconds)
	s := junitSuite{Name: xmlText(name), Time: seconds, Timestamp: r.Started.UTC().Format(time.DateOnly + "T15:04:05")}
	for _, f := range described.fields {
		s.Properties = append(s.Properties, junitProperty{xmlText(f.Name), xmlText(f.Value)})
	}
	for _, m := range described.metrics {
		value := number(m.value)
		if m.unit != "" {
			value += " " + m.unit
		}
		s.Properties = append(s.Properties, junitProperty{xmlText(m.name), xmlText(value)})
	}
	add := func(test, kind string, failures ...string) {
		c := junitCase{Class: xmlText(name), Name: xmlText(test), Time: seconds}
		if len(failures) > 0 {
			c.Failure = &junitFailure{xmlText(failures[0]), kind, xmlText(strings.Join(failures, "\n"))}
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
	}
	var early []string
	if r.Partial != "" {
		early = []string{"the run ended early: " + r.Partial}
	}
	add("the run is complete", "partial", early...)
	add("no faults", "fault", faultsOf(r)...)
	for _, t := range r.Thresholds {
		if t.OK {
			add(t.Condition, "threshold")
		} else {
			add(t.Condition, "threshold", t.String())
		}
	}
	s.Output = xmlText(strings.Join(append(described.alarms(), described.notes()...), "\n"))
	return s
}

// faultsOf returns why a result is not OK, besides its thresholds and its early end.
func faultsOf(r *bench.Result) (list []string) {
	for _, reason := range r.Reasons {
		if !strings.HasPrefix(reason, "threshold ") && !strings.HasPrefix(reason, "the run ended early") {
			list = append(list, reason)
		}
	}
	if len(r.Reasons) == 0 && !r.OK {
		list = append(list, "the run had faults or was not complete") // a result of an earlier version
	}
	return list
}

// xmlText replaces characters that XML cannot have, and those that do not show.
func xmlText(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
