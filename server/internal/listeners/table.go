package listeners

import (
	"slices"
	"sync"
)

// Table has listeners by the name of what they listen for. The zero value is empty. Safe for concurrent use.
type Table[F any] struct {
	mu sync.Mutex
	// all is guarded by mu. The slices are replaced, not changed. The address of a listener is its identity.
	all map[string][]*F
}

// Add adds a listener behind those of that name, and returns what removes it.
func (t *Table[F]) Add(name string, fn F) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string][]*F{}
	}
	list := t.all[name]
	t.all[name] = append(list[:len(list):len(list)], &fn)
	return func() { t.remove(name, &fn) }
}

func (t *Table[F]) remove(name string, fn *F) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(t.all[name]), func(x *F) bool { return x == fn })
	if len(left) == 0 {
		delete(t.all, name)
		return
	}
	t.all[name] = left
}

// Of returns the listeners of that name, in the order in which they were added.
func (t *Table[F]) Of(name string) []*F {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[name]
}
