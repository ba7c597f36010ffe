package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An alias hides the members of its type from go doc, so its comment lists them.
func TestAliasesListMembers(t *testing.T) {
	found := 0
	for _, d := range declarations(t, ".") {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range gen.Specs {
			spec, ok := s.(*ast.TypeSpec)
			if !ok || !spec.Assign.IsValid() || !spec.Name.IsExported() {
				continue
			}
			from, ok := spec.Type.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			found++
			doc := gen.Doc.Text() + spec.Doc.Text()
			dir := map[string]string{"session": "session", "sio": "codec/sio", "parser": "server/parser",
				"host": "server/internal/host", "collect": "server/internal/collect", "tally": "server/internal/tally", "refusal": "server/internal/refusal"}[from.X.(*ast.Ident).Name]
			for _, name := range members(t, filepath.Join("..", dir), from.Sel.Name) {
				if !regexp.MustCompile(`\b` + name + `\b`).MatchString(doc) {
					t.Errorf("the comment of %s does not list %s", spec.Name, name)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d aliases were found", found)
	}
}

// declarations returns those of a directory's files that are no tests.
func declarations(t *testing.T, dir string) (all []ast.Decl) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatal(dir, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Decls...)
	}
	return all
}

// members returns the exported fields and methods of a type.
func members(t *testing.T, dir, typ string) (names []string) {
	t.Helper()
	for _, d := range declarations(t, dir) {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || !d.Name.IsExported() {
				continue
			}
			recv := d.Recv.List[0].Type
			if star, ok := recv.(*ast.StarExpr); ok {
				recv = star.X
			}
			if id, ok := recv.(*ast.Ident); ok && id.Name == typ {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				spec, ok := s.(*ast.TypeSpec)
				if !ok || spec.Name.Name != typ {
					continue
				}
				if fields, ok := spec.Type.(*ast.StructType); ok {
					for _, f := range fields.Fields.List {
						for _, n := range f.Names {
							if n.IsExported() {
								names = append(names, n.Name)
							}
						}
					}
				}
			}
		}
	}
	if len(names) == 0 {
		t.Errorf("%s has no member of %s", dir, typ)
	}
	return names
}
