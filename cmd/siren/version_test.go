package main

import (
	"encoding/json"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// Both ways to ask for the version give one line, with what a report of a fault needs.
func TestVersion(t *testing.T) {
	want := regexp.MustCompile(`^siren ` + regexp.QuoteMeta(server.Version) + ` \((commit [0-9a-f]{12}( with changes)?, )?` +
		regexp.QuoteMeta(runtime.Version()) + `, ` + runtime.GOOS + `/` + runtime.GOARCH + `, Engine\.IO 4, Socket\.IO 5\)\n$`)
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if code, out, errs := command(t, args...); code != 0 || !want.MatchString(out) || errs != "" {
			t.Errorf("%v: code %d, output %q, errors %q", args, code, out, errs)
		}
	}
}

func TestVersionJSON(t *testing.T) {
	code, out, errs := command(t, "version", "--json")
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); code != 0 || errs != "" || err != nil {
		t.Fatalf("code %d, output %q, errors %q: %v", code, out, errs, err)
	}
	text, _ := json.Marshal([]any{got["version"], got["go"], got["os"], got["arch"], got["engineio_protocols"], got["socketio_protocols"]})
	want, _ := json.Marshal([]any{server.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, []int{4, 3}, []int{5, 4}})
	if string(text) != string(want) {
		t.Errorf("got %s, want %s", text, want)
	}
	if _, ok := got["modified"].(bool); !ok {
		t.Errorf("modified is %v", got["modified"])
	}
}

// A commit is told as long as the toolchain knows it, with a warning if files differed from it.
func TestVersionCommit(t *testing.T) {
	b := buildInfo{Version: "1.2.3", Go: "go1.26", OS: "linux", Arch: "arm64", EngineIO: []int{4}, SocketIO: []int{5}}
	for _, tc := range []struct {
		commit   string
		modified bool
		want     string
	}{
		{"", false, "siren 1.2.3 (go1.26, linux/arm64, Engine.IO 4, Socket.IO 5)"},
		{"0123456789abcdef", false, "siren 1.2.3 (commit 0123456789ab, go1.26, linux/arm64, Engine.IO 4, Socket.IO 5)"},
		{"0123", true, "siren 1.2.3 (commit 0123 with changes, go1.26, linux/arm64, Engine.IO 4, Socket.IO 5)"},
	} {
		b.Commit, b.Modified = tc.commit, tc.modified
		if got := b.String(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

// The newest version of the changelog is that of the code, and its headings have the format's form and order.
func TestChangelog(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`^## \[(Unreleased|\d+\.\d+\.\d+)\]( - \d{4}-\d{2}-\d{2})?$`)
	section := regexp.MustCompile(`^### (Added|Changed|Deprecated|Removed|Fixed|Security)$`)
	var versions []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "### ") && !section.MatchString(line):
			t.Errorf("%q is no kind of change", line)
		case strings.HasPrefix(line, "## "):
			m := heading.FindStringSubmatch(line)
			if m == nil || (m[1] == "Unreleased") != (m[2] == "") {
				t.Fatalf("%q is no heading of a version", line)
			}
			versions = append(versions, m[1])
			if !strings.Contains(string(text), "\n["+m[1]+"]: https://") {
				t.Errorf("%s has no link", m[1])
			}
		}
	}
	if len(versions) < 2 || versions[0] != "Unreleased" || versions[1] != server.Version {
		t.Errorf("the changelog has %v, the code is %s", versions, server.Version)
	}
}

// License: documentation sites show packages of a module only if they recognise its licence.
func TestLicense(t *testing.T) {
	text, err := os.ReadFile("../../LICENSE")
	if err != nil || !strings.HasPrefix(string(text), "MIT License\n\nCopyright (c) 2026 The Siren Authors\n") ||
		!strings.Contains(string(text), `WITHOUT WARRANTY OF ANY KIND`) {
		t.Errorf("%v: %.80s", err, text)
	}
}
