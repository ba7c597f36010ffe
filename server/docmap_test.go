package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// The map in the package's doc comment names what there is.
func TestPackageMap(t *testing.T) {
	exported, doc := map[string]bool{}, ""
	for _, name := range sources(t) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		doc += f.Doc.Text()
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				exported[d.Name.Name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok {
						exported[s.Name.Name] = true
					}
				}
			}
		}
	}
	_, part, found := strings.Cut(doc, "# The first day, and later")
	part, _, _ = strings.Cut(part, "# The smallest program")
	if !found || len(part) < 1000 {
		t.Fatal("there is no map")
	}
	for _, name := range regexp.MustCompile(`\b[A-Z]\w*`).FindAllString(part, -1) {
		switch name {
		case "On", "All", "HTTP", "IO":
		default:
			if !exported[name] {
				t.Errorf("the map names %s, which is not there", name)
			}
		}
	}
}
