package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each row of docs/compatibility.md names a test, and each test that it names exists.
func TestCompatibilityNamesTests(t *testing.T) {
	page, err := os.ReadFile("../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := goTests(t)
	goTest := regexp.MustCompile("`(Test\\w+)`")
	endToEnd := regexp.MustCompile("`([\\w-]+\\.test\\.mjs): ([^`]+)`")
	rows := 0
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| behaviour ") {
			if strings.HasPrefix(line, "| ") && len(cells) != 5 {
				t.Errorf("a row of %d cells: %s", len(cells)-2, line)
			}
			continue
		}
		rows++
		shown := cells[2]
		found := goTest.FindAllStringSubmatch(shown, -1)
		scripts := endToEnd.FindAllStringSubmatch(shown, -1)
		if len(found)+len(scripts) == 0 {
			t.Errorf("no test shows: %s", cells[1])
		}
		for _, m := range goTest.FindAllStringSubmatch(line, -1) {
			if !tests[m[1]] {
				t.Errorf("%s is no test (%s)", m[1], cells[1])
			}
		}
		for _, m := range scripts {
			script, err := os.ReadFile(filepath.Join("../e2e", m[1]))
			if err != nil {
				t.Error(err)
			} else if !strings.Contains(strings.ReplaceAll(string(script), `\'`, `'`), m[2]) {
				t.Errorf("%s has no test %q (%s)", m[1], m[2], cells[1])
			}
		}
	}
	if rows < 80 {
		t.Errorf("only %d rows were read", rows)
	}
}

// goTests returns the names of the Go tests of the repository.
func goTests(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	tests := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
