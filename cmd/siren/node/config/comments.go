package config

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// source is the file with the struct, whose comments are texts for users.
//
//go:embed config.go
var source string

// comments are the comments of the struct's fields, each in one line, by "Type.Field".
func comments() map[string]string {
	docs := map[string]string{}
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments)
	if err != nil {
		return docs // the package could not have been built
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				docs[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
			}
		}
		return false
	})
	return docs
}
