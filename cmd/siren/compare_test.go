package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/report"
)

// A scenario starts this program again as its client. In a test that is the
// test binary, which without this would run all tests again, each with clients
// of its own, without end.
func init() {
	if args := os.Args[1:]; len(args) == 2 && args[0] == "bench" && args[1] == childCommandName {
		os.Exit(execute(context.Background(), args, os.Stdout, os.Stderr))
	}
}

// resultFile writes results with one metric each and returns the name.
func resultFile(t *testing.T, samples ...float64) string {
	t.Helper()
	result := bench.Result{OK: true, Scenario: bench.Scenario{URL: "http://127.0.0.1:1"}}
	result.Metrics = []bench.Metric{{Name: "cost", Unit: "us", Value: samples[0], Samples: samples, Better: bench.BetterLower}}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCompare(t *testing.T) {
	a := resultFile(t, 100, 100, 100, 100)
	b := resultFile(t, 130, 130, 130, 130)
	for _, tt := range []struct {
		args []string
		code int
		want string
		errs string
	}{
		{[]string{a, b}, 0, "worse", ""},
		{[]string{b, a}, 0, "better", ""},
		{[]string{a, a}, 0, "same (within spread)", ""},
		{[]string{a, b, "--fail-worse", "10"}, 2, "worse", "siren: worse: cost: 100 us to 130 us, 30 % beyond the spread"},
		{[]string{a, b, "--fail-worse=0"}, 2, "worse", "siren: worse: cost"},
		{[]string{a, b, "--fail-worse", "30"}, 0, "worse", ""},
		{[]string{b, a, "--fail-worse", "0"}, 0, "better", ""},
	} {
		code, out, errs := command(t, append([]string{"bench", "compare"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out, tt.want) || !strings.HasPrefix(errs, tt.errs) || tt.errs == "" && errs != "" {
			t.Errorf("%v: code %d, output %q, errors %q", tt.args, code, out, errs)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	a := resultFile(t, 1)
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte(`{"ok":true}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {a}, {a, a, a}, {a, a + "x"}, {broken, a}, {a, broken}, {a, t.TempDir()},
		{a, a, "--fail-worse=-1"}, {a, a, "--fail-worse=NaN"}, {a, a, "--fail-worse=Inf"}, {a, a, "--fail-worse=some"},
	} {
		if code, out, errs := command(t, append([]string{"bench", "compare"}, args...)...); code != 1 || out != "" || !strings.HasPrefix(errs, "siren: ") {
			t.Errorf("%v: code %d, output %q, errors %q", args, code, out, errs)
		}
	}
}

func TestReport(t *testing.T) {
	a, b := resultFile(t, 1, 2, 3), resultFile(t, 4)
	name := filepath.Join(t.TempDir(), "report.html")
	if code, out, errs := command(t, "bench", "report", a, b, "-o", name); code != 0 || out != "" || errs != "" {
		t.Fatalf("code %d, output %q, errors %q", code, out, errs)
	}
	page, err := os.ReadFile(name)
	if err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.Contains(page, []byte("2 runs")) {
		t.Errorf("%.200s, %v", page, err)
	}
	if code, out, _ := command(t, "bench", "report", a, b, "--output=-"); code != 0 || out != string(page) {
		t.Errorf("code %d, output %.200q", code, out)
	}
}

// The command lines on the page must be what the commands understand.
func TestReportShowsCommandLines(t *testing.T) {
	pre := regexp.MustCompile(`(?s)<pre[^>]*>(.*?)</pre>`)
	for _, s := range append(scenarios(), fanoutScenario) {
		result := bench.Result{Scenario: bench.Scenario{
			Name: s.kind, URL: "http://127.0.0.1:1", Transport: bench.TransportWebSocket, Target: "room", Subscribers: 11, Broadcasts: 12,
			Size: 99, GapMicros: 13, ConnectRate: 14, Repeat: 15, Workers: 2, Processes: 3, Warmup: 4, Seconds: 1.5,
			Concurrency: 6, SlowPercent: 2.5, Members: 7,
		}}
		if s.kind == bench.KindFloor {
			result.Scenario.URL = ""
		}
		var page bytes.Buffer
		if err := writeForm("-", &page, report.WriteHTML, []bench.Result{result}); err != nil {
			t.Fatal(err)
		}
		line := pre.FindSubmatch(page.Bytes())
		if line == nil {
			t.Errorf("%s: no command line", s.kind)
			continue
		}
		words := strings.Fields(string(line[1]))
		cmd, f := s.command()
		if strings.Join(words[:3], " ") != "siren bench "+string(s.kind) {
			t.Errorf("%s: %q", s.kind, words)
		}
		if err := cmd.ParseFlags(words[3:]); err != nil {
			t.Errorf("%s: %v", s.kind, err)
			continue
		}
		if c, err := f.finish(); err != nil || c.Subscribers != 11 || c.Repeat != 15 || c.Warmup != 4 || c.URL != result.Scenario.URL {
			t.Errorf("%s: %+v, %v", s.kind, c, err)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	a := resultFile(t, 1)
	name := filepath.Join(t.TempDir(), "report.html")
	for _, args := range [][]string{
		{}, {a}, {"-o", name}, {a + "x", "-o", name}, {a, a + "x", "-o", name}, {a, "-o", filepath.Join(name, "no", "directory")},
	} {
		if code, out, errs := command(t, append([]string{"bench", "report"}, args...)...); code != 1 || out != "" || errs == "" {
			t.Errorf("%v: code %d, output %q, errors %q", args, code, out, errs)
		}
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("a report was written")
	}
}
