package wsframe

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func protocols(values ...string) ([]string, bool) {
	return Protocols(func(yield func([]byte) bool) {
		for _, v := range values {
			if !yield([]byte(v)) {
				return
			}
		}
	})
}

func TestProtocols(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   string
		ok     bool
	}{
		{nil, "[]", true},
		{[]string{"a"}, "[a]", true},
		{[]string{"b, a"}, "[b a]", true},
		{[]string{" \tb\t,a "}, "[b a]", true},
		{[]string{"b", "a, c"}, "[b a c]", true},
		{[]string{"a, A"}, "[a A]", true},
		{[]string{"v1.chat-x~!"}, "[v1.chat-x~!]", true},
		{[]string{""}, "[]", false},
		{[]string{" "}, "[]", false},
		{[]string{"a,"}, "[]", false},
		{[]string{",a"}, "[]", false},
		{[]string{"a,,b"}, "[]", false},
		{[]string{"a b"}, "[]", false},
		{[]string{"a;b"}, "[]", false},
		{[]string{"\"a\""}, "[]", false},
		{[]string{"caf\xc3\xa9"}, "[]", false},
		{[]string{"a, a"}, "[]", false},
		{[]string{"a", "b, a"}, "[]", false},
		{[]string{"a", ""}, "[]", false},
	} {
		got, ok := protocols(c.values...)
		if fmt.Sprint(got) != c.want || ok != c.ok {
			t.Errorf("%q: %q %v, want %s %v", c.values, got, ok, c.want, c.ok)
		}
	}
}

// Offered protocols can be sent back unchanged, and their number is bounded by the input.
func FuzzProtocols(f *testing.F) {
	f.Add("a, b", "c")
	f.Add(" a\t,b", "")
	f.Fuzz(func(t *testing.T, one, two string) {
		offered, ok := protocols(one, two)
		if !ok {
			if len(offered) > 0 {
				t.Fatalf("%q of malformed values", offered)
			}
			return
		}
		if len(offered) > (len(one)+1)/2+(len(two)+1)/2 {
			t.Fatalf("%d of %q and %q", len(offered), one, two)
		}
		for i, name := range offered {
			if !isToken(name) || slices.Contains(offered[:i], name) {
				t.Fatalf("%q of %q and %q", offered, one, two)
			}
		}
		if again, ok := protocols(strings.Join(offered, ",")); len(offered) > 0 && (!ok || !slices.Equal(again, offered)) {
			t.Fatalf("%q, then %q", offered, again)
		}
	})
}
