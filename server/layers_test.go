package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the files of package server, the lowest first: a file should need those before it, and not those behind
// it. Files that are not listed count as the top.
var layers = []struct{ what, files string }{
	{"settings, errors and values", "doc raw types errors reply config settings layers private"},
	{
		"what there is: servers, namespaces, sockets and their hooks",
		"socket namespace server handler registry key log stats guard attach mount live namespaces",
	},
	{
		"sending to one socket and to many",
		"outgoing client deliver held emission operator filter prepared compress parent tuning loopstats",
	},
	{
		"events that come, and their handlers",
		"message unhandled register handle handlereply handleack sockethandlers revision3 partial",
	},
	{"rooms and users", "roomevent membership user"},
	{
		"looking at many sockets, moving and asking them",
		"census page fetch ask callall question request counted collection",
	},
	{"other nodes", "node logged serverside nodemessage relay"},
	{"the lives of sockets, namespaces and servers", "dynamic asking life deadline identity recovery close"},
}

const (
	// upwardMax is the part of the references between files that may go up, in percent: a reader who goes through the
	// files in their order then knows most of what he meets.
	upwardMax = 15
	// codeLinesMax bounds the lines of the package that are neither blank nor comments nor tests. What needs more room
	// gets a package of its own, in internal.
	codeLinesMax = 6_000
)

// TestLayers holds the files to their order.
func TestLayers(t *testing.T) {
	refs := references(t)
	var files []string
	for _, layer := range layers {
		for name := range strings.FieldsSeq(layer.files) {
			name += ".go"
			if refs[name] == nil || slices.Contains(files, name) {
				t.Errorf("%s: %s is listed twice, or is no file of the package", layer.what, name)
			}
			files = append(files, name)
		}
	}
	listed := len(files)
	for name := range refs {
		if !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	slices.Sort(files[listed:])
	up, all := 0, 0
	var worst []string
	for from, to := range refs {
		for file, n := range to {
			all += n
			if slices.Index(files, file) > slices.Index(files, from) {
				up += n
				worst = append(worst, fmt.Sprintf("%5d  %s to %s", n, from, file))
			}
		}
	}
	t.Logf("%d of %d references go up, %.1f %%", up, all, 100*float64(up)/float64(all))
	if up*100 > all*upwardMax {
		slices.Sort(worst)
		slices.Reverse(worst)
		t.Errorf("%d of %d references go up; most of them:\n%s", up, all, strings.Join(worst[:min(20, len(worst))], "\n"))
	}
}

// references counts, for each file of the package, how often it names what another one declares.
func references(t *testing.T) map[string]map[string]int {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range sources(t) {
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", exportData(t))}
	pkg, err := config.Check(module+"/server", fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	refs := map[string]map[string]int{}
	for _, f := range files {
		refs[fset.Position(f.Pos()).Filename] = map[string]int{}
	}
	for id, object := range info.Uses {
		if object.Pkg() != pkg {
			continue
		}
		from, to := fset.Position(id.Pos()).Filename, fset.Position(object.Pos()).Filename
		if from != to {
			refs[from][to]++
		}
	}
	return refs
}

// sources returns the files of the package without tests.
func sources(t *testing.T) (names []string) {
	t.Helper()
	all, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names
}

// exportData finds what the compiler has written about the packages that the package imports.
func exportData(t *testing.T) importer.Lookup {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

// TestSize holds the package to a size that one can know.
func TestSize(t *testing.T) {
	lines := 0
	for _, name := range sources(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
	}
	t.Logf("%d lines of code", lines)
	if lines > codeLinesMax {
		t.Errorf("%d lines of code, at most %d are allowed: give a part a package of its own", lines, codeLinesMax)
	}
}
