package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// metricsOf returns what a node of a cluster tells, after a client has joined a room and published an event. Its broker is
// not there.
func metricsOf(t *testing.T) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a secret that all nodes know"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SIREN_FORWARD__LISTEN", "127.0.0.1:0")
	t.Setenv("SIREN_FORWARD__SECRET_FILE", secret)
	n := startNode(t, "--admin-listen", "127.0.0.1:0", "--broker", "redis://127.0.0.1:1")
	c := n.dial(t)
	c.ask(t, `["join","r"]`)
	c.ask(t, `["publish",{"room":"r","event":"e","data":1}]`)
	status, text := get(t, n.operators(t)+"/metrics")
	if status != 200 {
		t.Fatal(status, text)
	}
	return text
}

// told is a metric as the text format has it.
type told struct {
	kind   string
	labels map[string]bool
}

var sample = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? \S+$`)

// parseMetrics reads the text format.
func parseMetrics(t *testing.T, text string) map[string]*told {
	t.Helper()
	all := map[string]*told{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			all[name] = &told{kind, map[string]bool{}}
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q is no sample", line)
		}
		metric := all[m[1]]
		if metric == nil {
			metric = all[baseOf(m[1])]
		}
		if metric == nil {
			t.Fatalf("%q has no type", line)
		}
		for _, l := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(m[2], -1) {
			metric.labels[l[1]] = true
		}
	}
	return all
}

// baseOf is the name of a histogram, of one of its series.
func baseOf(series string) string {
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, end); ok {
			return name
		}
	}
	return series
}

// readFile returns a file of the repository.
func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The page of the metrics has each of them, with its kind and its labels, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	all := parseMetrics(t, metricsOf(t))
	row := regexp.MustCompile("(?m)^\\| `(siren_[a-z_]+)` \\| (\\w+) \\|(.*?)\\| (.+) \\|$")
	documented := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(readFile(t, "docs/metrics.md"), -1) {
		name, metric := m[1], all[m[1]]
		documented[name] = true
		if metric == nil {
			t.Errorf("%s is documented, and not told", name)
			continue
		}
		var labels []string
		for _, l := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		have := maps.Clone(metric.labels)
		delete(have, "le")
		slices.Sort(labels)
		if metric.kind != m[2] || !slices.Equal(labels, slices.Sorted(maps.Keys(have))) {
			t.Errorf("%s is a %s with %v, documented as a %s with %v", name, metric.kind, slices.Sorted(maps.Keys(have)), m[2], labels)
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "siren_") && !documented[name] {
			t.Errorf("%s is not documented", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "process_start_time_seconds"} {
		if all[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
}

// Every value of a label that a node tells is on the page.
func TestLabelsAreDocumented(t *testing.T) {
	page := readFile(t, "docs/metrics.md")
	text := metricsOf(t)
	for _, m := range regexp.MustCompile(`siren_\w+\{.*?(?:reason|result|transport)="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(page, "`"+m[1]+"`") && !strings.Contains(text, fmt.Sprintf(`siren_token_refusals_total{reason=%q}`, m[1])) {
			t.Errorf("the page has no `%s`", m[1])
		}
	}
}

// expressions returns the queries of the dashboard, the alerts and the pages, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	var board map[string]any
	if err := json.Unmarshal([]byte(readFile(t, "deploy/grafana.json")), &board); err != nil {
		t.Fatal(err)
	}
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if title, ok := v["title"].(string); ok {
				where += "/" + title
			}
			if expr, ok := v["expr"].(string); ok {
				all[fmt.Sprint(where, " ", v["refId"])] = expr
			}
			for _, inner := range v {
				walk(where, inner)
			}
		case []any:
			for _, inner := range v {
				walk(where, inner)
			}
		}
	}
	walk("deploy/grafana.json", board)
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "deploy/alerts.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			all["deploy/alerts.yaml "+r.Alert] = r.Expr
		}
	}
	for _, page := range []string{"docs/metrics.md", "docs/troubleshooting.md"} {
		for i, m := range regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(readFile(t, page), -1) {
			all[fmt.Sprintf("%s %d", page, i+1)] = m[1]
		}
	}
	if len(all) < 60 {
		t.Fatalf("only %d expressions were found", len(all))
	}
	return all
}

// queried has the selectors in an expression: a name, and what is in braces behind it.
var queried = regexp.MustCompile(`\b((?:siren|go|process)_[a-z_]+)(?:\{([^}]*)\})?`)

// The dashboard, the alerts and the pages ask for metrics and labels that there are.
func TestQueriesNameWhatThereIs(t *testing.T) {
	all := parseMetrics(t, metricsOf(t))
	for where, expr := range expressions(t) {
		found := queried.FindAllStringSubmatch(expr, -1)
		if len(found) == 0 && !strings.Contains(expr, "up{") {
			t.Errorf("%s asks for nothing: %s", where, expr)
		}
		for _, m := range found {
			metric := all[m[1]]
			if metric == nil {
				if metric = all[baseOf(m[1])]; metric == nil || metric.kind != "histogram" {
					t.Errorf("%s: there is no %s", where, m[1])
					continue
				}
			} else if metric.kind == "histogram" {
				t.Errorf("%s: %s is a histogram", where, m[1])
			}
			for _, l := range regexp.MustCompile(`(\w+)\s*[=!]`).FindAllStringSubmatch(m[2], -1) {
				if name := l[1]; !metric.labels[name] && name != "job" && name != "instance" {
					t.Errorf("%s: %s has no label %s", where, m[1], name)
				}
			}
		}
		for _, m := range regexp.MustCompile(`\b(?:by|on|ignoring) \(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
			for name := range strings.SplitSeq(m[1], ",") {
				known := strings.Contains(" job instance ", " "+strings.TrimSpace(name)+" ")
				for _, q := range found {
					if metric := all[baseOf(q[1])]; metric != nil {
						known = known || metric.labels[strings.TrimSpace(name)]
					} else if metric := all[q[1]]; metric != nil {
						known = known || metric.labels[strings.TrimSpace(name)]
					}
				}
				if !known {
					t.Errorf("%s: none of its metrics has a label %s: %s", where, name, expr)
				}
			}
		}
	}
}

// promtool runs a check of Prometheus' own tool, where it is installed.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian's package prometheus)")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// Prometheus' own tool accepts the metrics and the alerts, and can parse every query of the dashboard and the pages.
func TestPromtool(t *testing.T) {
	t.Run("metrics", func(t *testing.T) { promtool(t, metricsOf(t), "check", "metrics") })
	t.Run("alerts", func(t *testing.T) { promtool(t, "", "check", "rules", "../../deploy/alerts.yaml") })
	t.Run("queries", func(t *testing.T) {
		variables := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$instance", ".*")
		var rules []map[string]string
		for i, where := range slices.Sorted(maps.Keys(expressions(t))) {
			rules = append(rules, map[string]string{
				"record": fmt.Sprintf("query:%d", i), "expr": "# " + where + "\n" + variables.Replace(expressions(t)[where]),
			})
		}
		text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": rules}}})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "queries.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		promtool(t, "", "check", "rules", file)
	})
	t.Run("examples", func(t *testing.T) { promtool(t, "", "test", "rules", "testdata/alerts_test.yaml") })
}
