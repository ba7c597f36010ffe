package server_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fence is a block of code in a page.
var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// fileComment is the comment with the name of a file that begins a block.
var fileComment = regexp.MustCompile(`^(?: ?// |<!-- )([\w./-]+\.\w+)(, at the end)?(?: -->)?\n`)

// folder is what a reader has, who types the code of pages into files. Its values are the files' texts by their names.
type folder map[string]string

// read does what the blocks of a page say. A block that begins with the name of a file is that file, or comes at its
// end; one of the language diff changes it. Other blocks are not for a file, except whole programs: those are main.go.
func (f folder) read(page string) error {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		language, code := m[1], m[2]
		head := fileComment.FindStringSubmatch(code)
		switch {
		case head == nil && language == "go" && strings.HasPrefix(code, "package main\n"):
			f["main.go"] = code
		case head == nil:
		case language == "diff":
			if err := f.change(head[1], code[len(head[0]):]); err != nil {
				return err
			}
		case head[2] != "":
			f[head[1]] += "\n" + code[len(head[0]):]
		case language == "go" && !strings.Contains(code, "\npackage "):
			// A part of a file, to look at.
		default:
			f[head[1]] = code
		}
	}
	return nil
}

// change replaces lines of a file. The lines without their first character, those with "+" left out, must be in it
// once.
func (f folder) change(name, diff string) error {
	var old, changed strings.Builder
	for line := range strings.Lines(diff) {
		if line[0] != '+' {
			old.WriteString(line[1:])
		}
		if line[0] != '-' {
			changed.WriteString(line[1:])
		}
	}
	if n := strings.Count(f[name], old.String()); n != 1 {
		return fmt.Errorf("%s has %d times the lines\n%s", name, n, old.String())
	}
	f[name] = strings.Replace(f[name], old.String(), changed.String(), 1)
	return nil
}

// write writes the files below a directory.
func (f folder) write(t *testing.T, dir string) {
	t.Helper()
	for name, text := range f {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// readersModule makes the module of somebody who uses this one: a directory with nothing but go.mod and go.sum, as go
// get leaves them. The versions are this module's.
func readersModule(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		folder{name: string(text)}.write(t, dir)
	}
	const module = "github.com/seed58c87869/siren"
	goRun(t, dir, "mod", "edit", "-module", "example.org/chat", "-require", module+"@v0.0.0", "-replace", module+"="+root)
	return dir
}

// goRun runs the go command in a directory, without a network.
func goRun(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// The whole programs in the documents compile in a module of a reader, each page's by itself.
func TestDocumentsPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	dir, programs := readersModule(t), 0
	for page, text := range documents(t) {
		if strings.HasPrefix(page, "docs/tutorial/") {
			continue // see TestDocumentsTutorial
		}
		files := folder{}
		if err := files.read(text); err != nil {
			t.Errorf("%s: %v", page, err)
		}
		if files["main.go"] == "" {
			continue
		}
		programs++
		files.write(t, filepath.Join(dir, strings.NewReplacer("/", "_", ".", "_").Replace(page)))
	}
	if programs == 0 {
		t.Fatal("the documents have no programs")
	}
	goRun(t, dir, "vet", "./...")
}

// Somebody who types in the tutorial, part by part in one folder, has a program after each part that compiles, without
// anything for vet, and whose tests pass. e2e/tutorial.test.mjs runs the programs.
func TestDocumentsTutorial(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	parts, err := filepath.Glob("../docs/tutorial/[0-9]-*.md")
	if err != nil || len(parts) != 5 {
		t.Fatal(parts, err)
	}
	slices.Sort(parts)
	dir, files := readersModule(t), folder{}
	for _, part := range parts {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := files.read(string(text)); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		files.write(t, dir)
		goRun(t, dir, "vet", ".")
		if t.Failed() {
			t.Fatalf("after %s", part)
		}
	}
	if files["chat_test.go"] == "" || files["page/chat.js"] == "" {
		t.Error("the tutorial has no test or no script")
	}
	goRun(t, dir, "test", ".")
}
