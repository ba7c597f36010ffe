package server_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	// commentColumns is the width that comments keep to. A tab counts as tabColumns.
	commentColumns = 120
	tabColumns     = 4
)

// overflows returns the numbers of the lines of a source that have a comment, alone or behind code, and are too wide.
func overflows(t *testing.T, source string) (numbers []int) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	commented := map[int]bool{}
	for _, group := range file.Comments {
		for _, c := range group.List {
			for n := set.Position(c.Pos()).Line; n <= set.Position(c.End()).Line; n++ {
				commented[n] = true
			}
		}
	}
	n := 0
	for line := range strings.Lines(source) {
		n++
		line = strings.TrimRight(line, "\n")
		width := utf8.RuneCountInString(line) + (tabColumns-1)*strings.Count(line, "\t")
		if commented[n] && width > commentColumns {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func TestOverflows(t *testing.T) {
	long := strings.Repeat("x", 110)
	for _, row := range []struct {
		line string
		wide bool
	}{
		{"// " + long + " 789012", false},
		{"// " + long + " 7890123", true},
		{"\t// " + long + " 12", false},
		{"\t// " + long + " 123", true},
		{"var a = 1 // " + long[:107], false},
		{"var a = 1 // " + long[:108], true},
		{"/*\n" + long + " 7890123456\n*/", true},
		{`var a = "http:// ` + long + `"`, false},
		{"// " + strings.Repeat("ü", 117), false},
	} {
		if got := len(overflows(t, "package p\n"+row.line+"\n")) > 0; got != row.wide {
			t.Errorf("too wide: %v, want %v: %s", got, row.wide, row.line)
		}
	}
}

// TestCommentsFit holds the comments of the core to their width: everything but the adapters, which are in
// room/cluster.
func TestCommentsFit(t *testing.T) {
	for _, root := range []string{"poller", "session", "server", "room", "codec"} {
		files := 0
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() && path == filepath.Join("..", "room", "cluster") {
				return fs.SkipDir
			}
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			files++
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, n := range overflows(t, string(text)) {
				t.Errorf("%s:%d: wider than %d columns", path, n, commentColumns)
			}
			return nil
		})
		if err != nil || files == 0 {
			t.Errorf("%s: %d files, %v", root, files, err)
		}
	}
}
