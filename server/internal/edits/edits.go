// Package edits makes a value from a list of edits, any of which can be taken back. Lists inherit from each other.
package edits

import (
	"slices"
	"sync"
	"sync/atomic"
)

// List makes a value from its edits: first those that it inherits, then its own, in the order in which they were added.
// Each change, which is rare, makes a new value; reading it is one load. O is the owner of a list. Safe for concurrent
// use.
type List[V, O any] struct {
	owner O  // immutable, as base is
	base  *V // the value without edits
	value atomic.Pointer[V]

	mu sync.Mutex // guards what follows. A parent's is held while its heirs' are taken
	// own and inherited are immutable slices; changes replace them.
	own, inherited []*Edit[V]
	// heirs has the lists that inherit from this one; nil if there are none.
	heirs map[*List[V, O]]struct{}
}

// Edit is one change of a value. Immutable; its address is its identity.
type Edit[V any] struct {
	// Apply changes a value that is being made. It must not change what the value's slices and pointers refer to,
	// because values share these.
	Apply func(v *V)
	// Tag says what the edit is, for Add and Drop.
	Tag any
}

// Init sets the owner of a new list, and the value without edits.
func (l *List[V, O]) Init(owner O, base *V) {
	l.owner, l.base = owner, base
	l.value.Store(l.make(nil))
}

// Load returns the value, which must not be changed.
func (l *List[V, O]) Load() *V { return l.value.Load() }

// make makes a value from edits.
func (l *List[V, O]) make(edits []*Edit[V]) *V {
	v := new(V)
	*v = *l.base
	for _, e := range edits {
		e.Apply(v)
	}
	return v
}

// Add adds an edit, and returns what removes it. The list keeps the own edits for which keep returns true. keep is
// called with the lock held; if it panics, nothing changes.
func (l *List[V, O]) Add(e *Edit[V], keep func(old *Edit[V]) bool) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := make([]*Edit[V], 0, len(l.own)+1)
	for _, old := range l.own {
		if keep(old) {
			own = append(own, old)
		}
	}
	l.own = append(own, e)
	l.rebuild()
	return func() { l.Drop(func(x *Edit[V]) bool { return x == e }) }
}

// Drop removes the own edits for which gone returns true.
func (l *List[V, O]) Drop(gone func(e *Edit[V]) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept := slices.DeleteFunc(slices.Clone(l.own), gone); len(kept) != len(l.own) {
		l.own = kept
		l.rebuild()
	}
}

// rebuild makes the value again, and those of all heirs. Called with the lock held.
func (l *List[V, O]) rebuild() {
	l.value.Store(l.make(slices.Concat(l.inherited, l.own)))
	for heir := range l.heirs {
		heir.inherit(l.own, l.value.Load())
	}
}

// inherit takes over a parent's edits and value. A list without its own edits shares the value.
func (l *List[V, O]) inherit(edits []*Edit[V], made *V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inherited = edits
	if len(l.own) == 0 {
		l.value.Store(made)
		return
	}
	l.rebuild()
}

// Adopt makes a list inherit from l.
func (l *List[V, O]) Adopt(heir *List[V, O]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heirs == nil {
		l.heirs = make(map[*List[V, O]]struct{})
	}
	l.heirs[heir] = struct{}{}
	heir.inherit(l.own, l.value.Load())
}

// Disown ends that: the heir keeps its value, and gets no later changes.
func (l *List[V, O]) Disown(heir *List[V, O]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.heirs, heir)
}

// Heirs returns the owners of the lists that inherit, in no order.
func (l *List[V, O]) Heirs() []O {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]O, 0, len(l.heirs))
	for heir := range l.heirs {
		out = append(out, heir.owner)
	}
	return out
}
