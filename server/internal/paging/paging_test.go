package paging

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

const stripes = 4

func stripeOf(name string) int { return len(name) % stripes }

func keyOf(name string) Key { return Key{stripeOf(name), name} }

func TestStart(t *testing.T) {
	for _, c := range []struct {
		position string
		want     Begin
		ok       bool
	}{
		{"", Begin{}, true},
		{"1.a", Begin{Key{1, "a"}, true}, true},
		{"3.a.b", Begin{Key{3, "a.b"}, true}, true}, // only the first point separates
		{"0.", Begin{Key{0, ""}, true}, true},
		{"1", Begin{}, false},
		{"a", Begin{}, false},
		{".a", Begin{}, false},
		{"x.a", Begin{}, false},
		{"2.a", Begin{}, false}, // the name is in another stripe
		{"-1.a", Begin{}, false},
		{"4.abcd", Begin{}, false},                    // there is no such stripe
		{"99999999999999999999999.a", Begin{}, false}, // no number of a machine
	} {
		got, err := Start(c.position, stripes, stripeOf)
		if (err == nil) != c.ok || err != nil && err != ErrPosition || got != c.want {
			t.Errorf("%q: %+v, %v", c.position, got, err)
		}
	}
}

// A stripe's number is checked before stripeOf is asked: a name may belong to a stripe that the number does not name.
func TestStartChecksTheNumber(t *testing.T) {
	for _, number := range []int{-1, 4} {
		if _, err := Start(fmt.Sprintf("%d.a", number), stripes, func(string) int { return number }); err != ErrPosition {
			t.Errorf("%d: %v", number, err)
		}
	}
}

func TestPage(t *testing.T) {
	all := func(string) bool { return true }
	for _, c := range []struct {
		what   string
		after  string
		limit  int
		offers []string
		suits  func(string) bool
		want   []string
		next   string
	}{
		{"nothing", "", 2, nil, all, nil, ""},
		{"by stripe, then by name", "", 9, []string{"b", "aaaa", "a", "aa"}, all, []string{"aaaa", "a", "b", "aa"}, ""},
		{"a full page that is the last", "", 2, []string{"b", "a"}, all, []string{"a", "b"}, ""},
		{"one more than fits", "", 2, []string{"c", "b", "a"}, all, []string{"a", "b"}, "1.b"},
		{"many more than fit", "", 1, []string{"c", "b", "a", "d", "e"}, all, []string{"a"}, "1.a"},
		{"behind a position", "1.b", 2, []string{"c", "b", "a", "d", "e", "aaaa"}, all, []string{"c", "d"}, "1.d"},
		{"behind what is gone", "1.bzzzz", 9, []string{"b", "c"}, all, []string{"c"}, ""},
		{"behind the last", "1.e", 2, []string{"a", "e"}, all, nil, ""},
		{"what suits", "", 1, []string{"a", "b", "c"}, func(s string) bool { return s != "a" }, []string{"b"}, "1.b"},
		{"nothing suits", "", 1, []string{"a", "b"}, func(string) bool { return false }, nil, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			begin, err := Start(c.after, stripes, stripeOf)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // in this order and in the reverse one
				p := New(begin, c.limit, keyOf)
				for _, name := range c.offers {
					p.Offer(name, c.suits)
				}
				if items, next := p.Page(); !slices.Equal(items, c.want) || next != c.next {
					t.Errorf("%q %q, want %q %q", items, next, c.want, c.next)
				}
				slices.Reverse(c.offers)
			}
		})
	}
}

// suits is asked only of items that belong on the page as far as is known, and Full tells when later stripes need not
// be looked at.
func TestOffer(t *testing.T) {
	var asked []string
	ask := func(name string) bool { asked = append(asked, name); return true }
	begin, err := Start("1.b", stripes, stripeOf)
	if err != nil {
		t.Fatal(err)
	}
	p := New(begin, 1, keyOf)
	for i, c := range []struct {
		name        string
		asked, full bool
	}{
		{"a", false, false}, // before the page
		{"b", false, false}, // the position itself
		{"e", true, false},
		{"d", true, true}, // the page and the one behind it
		{"f", false, true},
		{"c", true, true}, // takes the place of "e"
		{"e", false, true},
	} {
		before := len(asked)
		if p.Offer(c.name, ask); (len(asked) > before) != c.asked || p.Full() != c.full {
			t.Errorf("%d, %q: asked %v, full %v", i, c.name, asked[before:], p.Full())
		}
	}
	if items, next := p.Page(); !slices.Equal(items, []string{"c"}) || next != "1.c" {
		t.Errorf("%q %q", items, next)
	}
}

// While names come and go, each one that stays is on exactly one page, and the others are on at most one.
func TestPagesOfWhatChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	name := func() string { return fmt.Sprintf("%0*d", 1+random.IntN(7), random.IntN(1000)) }
	for round := range 200 {
		stay, passing := map[string]bool{}, map[string]bool{}
		for range 60 {
			stay[name()] = true
		}
		change := func() {
			clear(passing)
			for range 20 {
				if n := name(); !stay[n] {
					passing[n] = true
				}
			}
		}
		seen, position := map[string]int{}, ""
		for pages := 0; ; pages++ {
			if pages > 200 {
				t.Fatalf("round %d: no end", round)
			}
			change()
			begin, err := Start(position, stripes, stripeOf)
			if err != nil {
				t.Fatal(err)
			}
			p := New(begin, 1+random.IntN(9), keyOf)
			for _, names := range []map[string]bool{stay, passing} {
				for n := range names {
					p.Offer(n, func(string) bool { return true })
				}
			}
			items, next := p.Page()
			for _, n := range items {
				seen[n]++
			}
			if position = next; next == "" {
				break
			}
		}
		for n, times := range seen {
			if times != 1 {
				t.Fatalf("round %d: %q is on %d pages", round, n, times)
			}
		}
		for n := range stay {
			if seen[n] == 0 {
				t.Fatalf("round %d: %q is on no page", round, n)
			}
		}
	}
}
