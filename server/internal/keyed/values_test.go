package keyed

import (
	"sync"
	"testing"
)

type key struct{ n int }

// pairs returns what All yields.
func pairs(v *Values) (list []Pair) {
	for p := range v.All {
		list = append(list, p)
	}
	return list
}

func TestValues(t *testing.T) {
	a, b := &key{1}, &key{1} // two keys of equal content
	for _, c := range []struct {
		what string
		do   func(v *Values)
		want []Pair
	}{
		{"empty", func(*Values) {}, nil},
		{"two", func(v *Values) { v.Set(a, 1); v.Set(b, 2) }, []Pair{{a, 1}, {b, 2}}},
		{"replaced, in its place", func(v *Values) { v.Set(a, 1); v.Set(b, 2); v.Set(a, 3) }, []Pair{{a, 3}, {b, 2}}},
		{"a nil value", func(v *Values) { v.Set(a, 1); v.Set(a, nil) }, []Pair{{a, nil}}},
		{"removed", func(v *Values) { v.Set(a, 1); v.Set(b, 2); v.Remove(a) }, []Pair{{b, 2}}},
		{"removed, unknown", func(v *Values) { v.Set(b, 2); v.Remove(a) }, []Pair{{b, 2}}},
		{"set again after it was removed", func(v *Values) { v.Set(a, 1); v.Set(b, 2); v.Remove(a); v.Set(a, 4) }, []Pair{{b, 2}, {a, 4}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			v := new(Values)
			c.do(v)
			got := pairs(v)
			if len(got) != len(c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%d: %v, want %v", i, got[i], c.want[i])
				}
			}
			for _, k := range []*key{a, b} {
				var want any
				for _, p := range c.want {
					if p.Key == k {
						want = p.Value
					}
				}
				if got := v.Get(k); got != want {
					t.Errorf("Get: %v, want %v", got, want)
				}
			}
		})
	}
}

// Nil is an empty set of values.
func TestNilValues(t *testing.T) {
	var v *Values
	v.Remove("x")
	if got := v.Get("x"); got != nil || len(pairs(v)) > 0 {
		t.Errorf("%v of %v", got, pairs(v))
	}
}

// The end of a range over All ends the look, and releases the lock.
func TestAllEndsEarly(t *testing.T) {
	v := new(Values)
	v.Set(1, "a")
	v.Set(2, "b")
	n := 0
	for range v.All {
		n++
		break
	}
	v.Set(3, "c")
	if n != 1 || v.Get(3) != "c" {
		t.Errorf("%d seen, then %v", n, v.Get(3))
	}
}

// The race detector watches.
func TestValuesOfManyGoroutines(t *testing.T) {
	v := new(Values)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				v.Set(g, i)
				v.Set("shared", i)
				if v.Get(g) != i {
					t.Errorf("%v, want %d", v.Get(g), i)
				}
				if i%50 == 49 {
					v.Remove("shared")
				}
			}
		})
	}
	wg.Wait()
	if n := len(pairs(v)); n != 4 {
		t.Errorf("%d values, want 4", n)
	}
}
