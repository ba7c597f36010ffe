package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/profile"
)

// The profile that init writes runs as it is against siren serve, and all outputs are there.
func TestBenchInitAndRun(t *testing.T) {
	p := startProcess(t, nil)
	t.Chdir(t.TempDir())
	if code, out, errs := command(t, "bench", "init"); code != 0 || !strings.Contains(out, "siren bench run "+profileFile) {
		t.Fatalf("code %d: %s%s", code, out, errs)
	}
	written, err := os.ReadFile(profileFile)
	if err != nil || !bytes.Equal(written, profile.Sample()) {
		t.Fatalf("%v, %q", err, written)
	}
	if code, _, errs := command(t, "bench", "init"); code != 1 || !strings.Contains(errs, "--force") {
		t.Errorf("a second init: code %d: %s", code, errs)
	}
	if code, out, _ := command(t, "bench", "init", "-"); code != 0 || out != string(written) {
		t.Errorf("to standard output: code %d: %q", code, out)
	}
	// A busy machine is slow, which is not what is tested here.
	slow := strings.NewReplacer("p99 < 500ms", "p99 < 5m", "connect_p95 < 1s", "connect_p95 < 5m").Replace(string(written))
	if err := os.WriteFile(profileFile, []byte(slow), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, "bench", "run", profileFile, "--url", "http://"+p.addr, "--html", "r.html", "--json", "r.json",
		"--junit", "r.xml", "--openmetrics", "r.txt")
	if code != 0 || !strings.Contains(out, "threshold ok") || !strings.Contains(errs, "stage 3 of 4: ") {
		t.Fatalf("code %d:\n%s%s", code, out, errs)
	}
	var result bench.Result
	text, _ := os.ReadFile("r.json")
	if err := json.Unmarshal(text, &result); err != nil || !result.OK || result.Scenario.Name != bench.KindProfile {
		t.Errorf("%v: %s", err, text)
	}
	text, _ = os.ReadFile("r.xml")
	if err := xml.Unmarshal(text, new(struct {
		XMLName xml.Name `xml:"testsuites"`
	})); err != nil || !bytes.Contains(text, []byte(`name="missing == 0"`)) {
		t.Errorf("%v: %s", err, text)
	}
	text, _ = os.ReadFile("r.txt")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	if families, err := parser.TextToMetricFamilies(bytes.NewReader(text)); err != nil || families["siren_bench_latency_p99_seconds"] == nil {
		t.Errorf("%v: %s", err, text)
	}
	text, _ = os.ReadFile("r.html")
	if !bytes.Contains(text, []byte("profile")) {
		t.Errorf("%s", text)
	}
}

// What is wrong is told with its place or its remedy.
func TestBenchRunRefuses(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "p.yaml")
	if err := os.WriteFile(name, []byte("target: http://127.0.0.1:1\nstages: [{users: 1, hold: 1s}]\nstage: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "good.yaml")
	if err := os.WriteFile(good, []byte("target: http://127.0.0.1:1\nstages: [{users: 1, hold: 1s}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "accepts 1 arg"},
		{[]string{filepath.Join(dir, "none.yaml")}, "no such file"},
		{[]string{name}, name + `:3: unknown key "stage"`},
		{[]string{good, "--url", "gopher://x"}, "no URL of a server"},
		{[]string{good}, "got connection refused; start the server"},
	} {
		if code, out, errs := command(t, append([]string{"bench", "run"}, tt.args...)...); code != 1 || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: code %d, output %q, errors %q", tt.args, code, out, errs)
		}
	}
}

// The example profiles are valid.
func TestExampleProfiles(t *testing.T) {
	files, err := filepath.Glob("../../examples/bench/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if _, err := profile.Load(name); err != nil {
			t.Error(err)
		}
	}
}
