package server_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
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

// The pages' links lead somewhere, and those to a part of a page to one of its headings. The map names each page of
// docs.
func TestDocumentsLinks(t *testing.T) {
	pages := documents(t)
	for _, more := range []string{"ARCHITECTURE.md", "CHANGELOG.md", "bench/README.md", "bench/RESULTS.md", "e2e/README.md",
		"deploy/README.md", "cmd/fixture/README.md"} {
		text, err := os.ReadFile(filepath.Join("..", more))
		if err != nil {
			t.Fatal(err)
		}
		pages[more] = string(text)
	}
	link := regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`)
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	for page, text := range pages {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
			if there, known := pages[target]; m[2] != "" && (!known || !anchors(there)[m[2]]) {
				t.Errorf("%s links to %s#%s, which is no heading", page, m[1], m[2])
			}
		}
	}
	for page := range pages {
		if name, ok := strings.CutPrefix(page, "docs/"); ok && name != "README.md" && !strings.Contains(name, "/") &&
			!strings.Contains(pages["docs/README.md"], "]("+name) {
			t.Errorf("docs/README.md does not name %s", name)
		}
	}
}

// anchors returns the names of a page's headings in links, as GitHub makes them: small letters, blanks as hyphens,
// without punctuation.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	blocks := regexp.MustCompile("(?ms)^```.*?^```")
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(blocks.ReplaceAllString(page, ""), -1) {
		name := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		name = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`).ReplaceAllString(strings.ToLower(name), "")
		out[strings.ReplaceAll(strings.TrimSpace(name), " ", "-")] = true
	}
	return out
}
