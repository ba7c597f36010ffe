package pattern_test

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"room-1", "room-1", true},
		{"room-1", "room-10", false},
		{"room-1", "xroom-1", false},
		{"room-*", "room-1", true},
		{"room-*", "room-", true},
		{"room-*", "room", false},
		{"*-1", "room-1", true},
		{"*-1", "room-11", false},
		{"a*b*c", "aXXbYYc", true},
		{"a*b*c", "abc", true},
		{"a*b*c", "acb", false},
		{"a*bc", "abcbc", true},
		{"*", "", true},
		{"*", "anything/at all", true},
		{"**", "x", true},
		{"", "", true},
		{"", "x", false},
		{"x", "", false},
		{"/chat/*", "/chat/1/2", true},
		{"[a-z]", "b", false},
		{"[a-z]", "[a-z]", true},
		{"?", "x", false},
		{`\*`, "*", false},
		{"Room", "room", false},
		{"ä*", "äö", true},
		{"a*", "*", false},
	} {
		if got := pattern.Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

// The worst pattern of the greatest length takes bounded time.
func TestMatchIsNotExponential(t *testing.T) {
	p := strings.Repeat("*a", pattern.MaxBytes/2-1) + "*b"
	if pattern.Match(p, strings.Repeat("a", pattern.MaxBytes)) {
		t.Fatal("matches")
	}
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		list  pattern.List
		name  string
		match bool
		all   bool
	}{
		{nil, "x", false, false},
		{pattern.List{}, "x", false, false},
		{pattern.List{"a", "x"}, "x", true, false},
		{pattern.List{"x*"}, "y", false, false},
		{pattern.List{"a", "*"}, "y", true, true},
		{pattern.List{"**"}, "y", true, true},
		{pattern.List{""}, "y", false, false},
	} {
		if got := c.list.Match(c.name); got != c.match {
			t.Errorf("%q: Match(%q) = %v", c.list, c.name, got)
		}
		if got := c.list.All(); got != c.all {
			t.Errorf("%q: All() = %v", c.list, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, bad := range []string{"", strings.Repeat("x", pattern.MaxBytes+1), "a\x00", "a\nb", "\x7f", "\xff", "a\u0085"} {
		if err := pattern.Check(bad); !errors.Is(err, pattern.ErrBad) {
			t.Errorf("Check(%q) = %v", bad, err)
		}
	}
	for _, good := range []string{"*", "a b", "ä", strings.Repeat("x", pattern.MaxBytes)} {
		if err := pattern.Check(good); err != nil {
			t.Errorf("Check(%q) = %v", good, err)
		}
	}
	if err := (pattern.List{"a", ""}).Check(); !errors.Is(err, pattern.ErrBad) || !strings.HasPrefix(err.Error(), "[1]: ") {
		t.Errorf("List.Check = %v", err)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	list := pattern.List{"a*", "room-*"}
	if n := testing.AllocsPerRun(100, func() { list.Match("room-17") }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// For names without a slash and patterns without its other wildcards, path.Match has the same rule.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{{"room-*", "room-1"}, {"a*b*c", "abcbc"}, {"*", ""}, {"**a", "ba"}, {"ä*", "ä"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, p, name string) {
		if len(p) > pattern.MaxBytes || len(name) > pattern.MaxBytes || strings.ContainsAny(p, `/\?[]`) || strings.Contains(name, "/") {
			t.Skip()
		}
		want, err := path.Match(p, name)
		if err != nil {
			t.Skip()
		}
		if got := pattern.Match(p, name); got != want {
			t.Errorf("Match(%q, %q) = %v, path.Match says %v", p, name, got, want)
		}
	})
}
