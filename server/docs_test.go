package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// documents returns the pages for users, by their paths from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"../README.md", "../docs/*.md", "../docs/tutorial/*.md", "../examples/*/README.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			pages[strings.TrimPrefix(f, "../")] = string(b)
		}
	}
	return pages
}

// What the documents call Type.Member is a member of that type.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	types := map[string]reflect.Type{}
	for _, v := range []reflect.Type{
		reflect.TypeFor[*server.Server](), reflect.TypeFor[*server.Namespace](), reflect.TypeFor[*server.ParentNamespace](),
		reflect.TypeFor[*server.Socket](), reflect.TypeFor[server.Handshake](), reflect.TypeFor[server.Operator](),
		reflect.TypeFor[*server.Message](), reflect.TypeFor[server.Registration](), reflect.TypeFor[server.RemoteSocket](),
		reflect.TypeFor[server.Config](), reflect.TypeFor[server.Reason](),
		reflect.TypeFor[server.Stats](), reflect.TypeFor[server.Emission](), reflect.TypeFor[server.Reply](),
		reflect.TypeFor[server.Queue](), reflect.TypeFor[server.Inbox](), reflect.TypeFor[server.CORS](),
	} {
		name := v.Name()
		if v.Kind() == reflect.Pointer {
			name = v.Elem().Name()
		}
		types[name] = v
	}
	member := regexp.MustCompile("`([^`\n]+)`")
	name := regexp.MustCompile(`\b([A-Z]\w+)\.([A-Z]\w+)`)
	for page, text := range documents(t) {
		for _, code := range member.FindAllStringSubmatch(text, -1) {
			for _, m := range name.FindAllStringSubmatch(code[1], -1) {
				typ, ok := types[m[1]]
				if !ok {
					continue
				}
				if !has(typ, m[2]) {
					t.Errorf("%s: `%s`: %s has no %s", page, code[1], m[1], m[2])
				}
			}
		}
	}
}

func has(typ reflect.Type, member string) bool {
	if _, ok := typ.MethodByName(member); ok {
		return true
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return false
	}
	_, ok := typ.FieldByName(member)
	return ok
}

// The pages' links lead somewhere.
func TestDocumentsLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	for page, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if _, err := os.Stat(filepath.Join("..", filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

// The whole programs in the documents compile. A block of Go that begins with the name of its file ("// main.go")
// or with "package main" is such a program, with the others of its page.
func TestDocumentsPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```go\n((?:// \\w+\\.go\n)?package main\n.*?)```")
	file := regexp.MustCompile(`^// (\w+\.go)\n`)
	overlay := map[string]string{}
	dirs := map[string]bool{}
	for page, text := range documents(t) {
		for i, m := range block.FindAllStringSubmatch(text, -1) {
			name := "main.go"
			if f := file.FindStringSubmatch(m[1]); f != nil {
				name = f[1]
			}
			// The directories are there for the compiler alone.
			dir := filepath.Join(root, "docs", "programs", strings.NewReplacer("/", "_", ".", "_").Replace(page))
			source := filepath.Join(t.TempDir(), fmt.Sprint(i, name))
			if err := os.WriteFile(source, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, twice := overlay[filepath.Join(dir, name)]; twice {
				t.Errorf("%s has two files %s", page, name)
			}
			overlay[filepath.Join(dir, name)] = source
			dirs[dir] = true
		}
	}
	stub := filepath.Join(t.TempDir(), "stub.go")
	if err := os.WriteFile(stub, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir := range dirs {
		if main := filepath.Join(dir, "main.go"); overlay[main] == "" {
			overlay[main] = stub // the page says to keep the one of the page before
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(table, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(dirs) == 0 {
		t.Fatal("the documents have no programs")
	}
	// Without the linker: -c of a test compiles a package with its tests, and vet would change to the directory.
	list := slices.Sorted(maps.Keys(dirs))
	for _, args := range [][]string{{"build", "-o", os.DevNull}, {"test", "-vet=off", "-c", "-o", t.TempDir() + string(filepath.Separator)}} {
		cmd := exec.Command("go", slices.Concat(args, []string{"-overlay", table}, list)...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", args[0], err, out)
		}
	}
}

// The README's example is Example_readme, which compiles.
func TestReadmeExample(t *testing.T) {
	source, err := os.ReadFile("example_readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(documents(t)["README.md"])
	if m == nil {
		t.Fatal("the README has no example")
	}
	indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(m[1], "\t$1")
	if !strings.Contains(string(source), indented) {
		t.Error("the README's example is not that of example_readme_test.go")
	}
}
