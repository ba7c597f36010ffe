package server_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// Docs/settings.md has a row for each field of Config, and for nothing else.
func TestSettingsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z0-9.]+)`").FindAllSubmatch(page, -1) {
		name := string(row[1])
		if told[name] {
			t.Errorf("%s has two rows", name)
		}
		told[name] = true
	}
	fields := map[string]bool{}
	settings(reflect.TypeFor[server.Config](), "", fields)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !told[name] {
			t.Errorf("docs/settings.md has no row for Config.%s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		if !fields[name] {
			t.Errorf("docs/settings.md has a row for %s, which is no field of Config", name)
		}
	}
}

// settings collects the names of the fields, with those of structs of the project behind a dot.
func settings(t reflect.Type, prefix string, names map[string]bool) {
	for f := range t.Fields() {
		name := prefix + f.Name
		names[name] = true
		if f.Type.Kind() == reflect.Struct && strings.HasPrefix(f.Type.PkgPath(), "github.com/seed58c87869/siren/") {
			settings(f.Type, name+".", names)
		}
	}
}
