package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/seed58c87869/siren/bench"
)

// profiled is the result of a profile with a threshold that holds and two that do not, and text that no format likes.
func profiled() bench.Result {
	fast, slow := 1500.0, 0.0
	r := bench.NewResult(bench.Scenario{
		Name: bench.KindProfile, URL: "http://h/?a=\"<&>\"", Profile: "a \x1b[31m\u202e&.yaml", Namespace: "/chat", Seconds: 2, Repeat: 1,
	}, true)
	r.Started = time.Unix(1_700_000_000, 0)
	r.Metrics = []bench.Metric{
		{Name: "latency p99", Unit: "us", Value: 1500, Samples: []float64{1500}, Better: bench.BetterLower},
		{Name: "deliveries" + bench.ClientBound, Unit: "1/s", Value: 7, Samples: []float64{7}},
		{Name: "server memory", Unit: "MiB", Value: 2, Samples: []float64{2}},
		{Name: "missing", Value: 0, Samples: []float64{0}},
	}
	r.Thresholds = []bench.Threshold{
		{Condition: "p99 < 2ms", Value: &fast, Unit: "us", OK: true},
		{Condition: `rate > 5 & "all"`, Value: &slow},
		{Condition: "answer_p95 < 1s"},
	}
	r.Problems = []string{"3 times: expected a < b"}
	r.Finish(1)
	return *r
}

// The shape is that of the JUnit schema which Jenkins and GitLab read: suites with counts that fit, tests with a class,
// a name and a time, and failures with a message.
func TestJUnit(t *testing.T) {
	partial := profiled()
	partial.Partial, partial.Thresholds, partial.Problems = "interrupted", nil, nil
	partial.Finish(1)
	fanout := bench.Result{OK: true, Scenario: bench.Scenario{Name: bench.KindFanout, URL: "http://h"}}
	var text bytes.Buffer
	if err := WriteJUnit(&text, []bench.Result{profiled(), partial, fanout}); err != nil {
		t.Fatal(err)
	}
	children := map[string]string{
		"testsuites": "", "testsuite": "testsuites", "properties": "testsuite", "property": "properties",
		"testcase": "testsuite", "failure": "testcase", "system-out": "testsuite",
	}
	required := map[string][]string{
		"testsuites": {"tests", "failures"}, "testsuite": {"name", "tests", "failures", "errors", "time", "timestamp"},
		"property": {"name", "value"}, "testcase": {"classname", "name", "time"}, "failure": {"message", "type"},
	}
	var path []string
	seen := map[string]int{}
	decoder := xml.NewDecoder(bytes.NewReader(text.Bytes()))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text.String())
		}
		switch e := token.(type) {
		case xml.StartElement:
			parent := ""
			if len(path) > 0 {
				parent = path[len(path)-1]
			}
			if want, known := children[e.Name.Local]; !known || want != parent {
				t.Errorf("<%s> in <%s>", e.Name.Local, parent)
			}
			attributes := map[string]string{}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
			}
			for _, name := range required[e.Name.Local] {
				if _, ok := attributes[name]; !ok {
					t.Errorf("<%s> has no %s", e.Name.Local, name)
				}
			}
			if at, ok := attributes["timestamp"]; ok {
				if _, err := time.Parse("2006-01-02T15:04:05", at); err != nil {
					t.Error(err)
				}
			}
			path = append(path, e.Name.Local)
			seen[e.Name.Local]++
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
	var all junitSuites
	if err := xml.Unmarshal(text.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	failures := 0
	for i, want := range []struct{ tests, failures int }{{5, 3}, {2, 1}, {2, 0}} {
		s := all.Suites[i]
		failures += s.Failures
		if s.Tests != want.tests || len(s.Cases) != want.tests || s.Failures != want.failures {
			t.Errorf("suite %d: %d tests, %d failures, %d cases", i, s.Tests, s.Failures, len(s.Cases))
		}
	}
	if seen["testsuite"] != 3 || all.Tests != 9 || all.Failures != failures || seen["failure"] != failures {
		t.Errorf("%d suites, %d tests, %d and %d failures", seen["testsuite"], all.Tests, all.Failures, seen["failure"])
	}
	if strings.ContainsAny(text.String(), "\x1b\u202e") {
		t.Errorf("control characters in %q", text.String())
	}
}

func TestOpenMetrics(t *testing.T) {
	failed := profiled()
	var text bytes.Buffer
	if err := WriteOpenMetrics(&text, []bench.Result{failed, {OK: true, Scenario: bench.Scenario{Name: bench.KindEcho, URL: "http://h"}}}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(text.String(), "# EOF\n") {
		t.Errorf("no end: %s", text.String())
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for name, want := range map[string]float64{
		"siren_bench_latency_p99_seconds": 0.0015, "siren_bench_deliveries_per_second": 7, "siren_bench_server_memory_bytes": 2 << 20,
		"siren_bench_missing": 0, "siren_bench_ok": 0, "siren_bench_started_timestamp_seconds": 1_700_000_000,
	} {
		f := families[name]
		if f == nil || f.Metric[0].GetGauge().GetValue() != want {
			t.Errorf("%s is %v, want %v", name, f, want)
		}
	}
	ok := families["siren_bench_ok"].Metric
	if len(ok) != 2 || ok[1].GetGauge().GetValue() != 1 {
		t.Errorf("%v", ok)
	}
	for i, m := range families["siren_bench_threshold_ok"].Metric {
		var condition, profile string
		for _, l := range m.Label {
			switch l.GetName() {
			case "condition":
				condition = l.GetValue()
			case "profile":
				profile = l.GetValue()
			}
		}
		if condition != failed.Thresholds[i].Condition || profile != failed.Scenario.Profile || m.GetGauge().GetValue() != truth(i == 0) {
			t.Errorf("%v", m)
		}
	}
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian's package prometheus)")
	}
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = &text
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The page shows each threshold with what came of it, and the command that repeats the run.
func TestPageOfAProfile(t *testing.T) {
	var text bytes.Buffer
	if err := WriteHTML(&text, []bench.Result{profiled()}); err != nil {
		t.Fatal(err)
	}
	for want, times := range map[string]int{
		"✓ holds</span>": 1, "✗ FAILED</span>": 3, "p99 &lt; 2ms: it is 1.5ms": 1, "nothing was measured": 2, "siren bench run ": 1,
		"<dt>broadcasts</dt>": 0,
	} {
		if n := strings.Count(text.String(), want); n != times {
			t.Errorf("%s: %s times, want %d", want, strconv.Itoa(n), times)
		}
	}
}
