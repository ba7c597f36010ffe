package edits

import (
	"slices"
	"sync"
	"testing"
)

type value struct{ words []string }

type list = List[value, string]

// newList returns a list whose value begins with "base".
func newList(owner string) *list {
	l := new(list)
	l.Init(owner, &value{words: []string{"base"}})
	return l
}

// say returns an edit that adds a word.
func say(word string) *Edit[value] {
	return &Edit[value]{Tag: word, Apply: func(v *value) { v.words = append(slices.Clip(v.words), word) }}
}

func all(*Edit[value]) bool { return true }

func want(t *testing.T, l *list, words ...string) {
	t.Helper()
	if got := l.Load().words; !slices.Equal(got, append([]string{"base"}, words...)) {
		t.Errorf("%s: got %v, want %v", l.owner, got, words)
	}
}

// TestEdits shows the order of edits, and that removing one leaves the others.
func TestEdits(t *testing.T) {
	l := newList("l")
	want(t, l)
	l.Add(say("a"), all)
	remove := l.Add(say("b"), all)
	l.Add(say("b"), all)
	before := l.Load()
	remove()
	remove()
	want(t, l, "a", "b")
	if len(before.words) != 4 {
		t.Error("an older value has changed:", before.words)
	}
	l.Add(say("c"), func(old *Edit[value]) bool { return old.Tag != "a" })
	want(t, l, "b", "c")
	l.Drop(func(e *Edit[value]) bool { return e.Tag == "b" })
	want(t, l, "c")
}

// TestAddRefuses shows that nothing changes if keep panics.
func TestAddRefuses(t *testing.T) {
	l := newList("l")
	l.Add(say("a"), all)
	func() {
		defer func() { _ = recover() }()
		l.Add(say("b"), func(*Edit[value]) bool { panic("no") })
	}()
	want(t, l, "a")
	l.Add(say("c"), all)
	want(t, l, "a", "c")
}

// TestInheritance shows that heirs follow their parent, that their own edits come last, and that those without own
// edits share its value.
func TestInheritance(t *testing.T) {
	parent, one, two := newList("parent"), newList("one"), newList("two")
	parent.Add(say("p"), all)
	parent.Adopt(one)
	parent.Adopt(two)
	remove := two.Add(say("own"), all)
	parent.Add(say("q"), all)
	want(t, one, "p", "q")
	want(t, two, "p", "q", "own")
	if one.Load() != parent.Load() {
		t.Error("the value is not shared")
	}
	heirs := parent.Heirs()
	if slices.Sort(heirs); !slices.Equal(heirs, []string{"one", "two"}) {
		t.Error(heirs)
	}
	remove()
	want(t, two, "p", "q")
	parent.Disown(one)
	parent.Drop(func(e *Edit[value]) bool { return e.Tag == "p" })
	want(t, one, "p", "q")
	want(t, two, "q")
	if heirs := parent.Heirs(); !slices.Equal(heirs, []string{"two"}) {
		t.Error(heirs)
	}
}

// TestConcurrentUse adds and removes edits of a parent and of its heirs at the same time.
func TestConcurrentUse(t *testing.T) {
	parent := newList("parent")
	var all4 sync.WaitGroup
	heirs := make([]*list, 4)
	for i := range heirs {
		heirs[i] = newList("heir")
		all4.Go(func() {
			parent.Adopt(heirs[i])
			for range 100 {
				remove := heirs[i].Add(say("own"), all)
				parent.Add(say("p"), all)()
				_ = heirs[i].Load().words
				remove()
			}
		})
	}
	all4.Wait()
	for _, l := range append(heirs, parent) {
		want(t, l)
	}
}
