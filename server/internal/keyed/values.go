package keyed

import (
	"slices"
	"sync"
)

// Values has the values of a socket, by their keys. A socket has few, if any: a slice is enough. Safe for concurrent
// use, and shared by the lives of a socket that comes back; nil is empty.
type Values struct {
	mu   sync.Mutex
	list []Pair // guarded by mu, as shown is
	// shown has what another node has shown of the values of a socket that came from there, by name, and is not decoded
	// yet; nil if there is nothing. The empty name has all of it.
	shown map[string]any
}

type Pair struct{ Key, Value any }

func (v *Values) Set(key, value any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.list {
		if v.list[i].Key == key {
			v.list[i].Value = value
			return
		}
	}
	v.list = append(v.list, Pair{key, value})
}

func (v *Values) Get(key any) any {
	for k := range v.All {
		if k.Key == key {
			return k.Value
		}
	}
	return nil
}

func (v *Values) Remove(key any) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = slices.DeleteFunc(v.list, func(k Pair) bool { return k.Key == key })
}

// All yields the values, with the lock held.
func (v *Values) All(yield func(Pair) bool) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.list {
		if !yield(k) {
			return
		}
	}
}

// Shown returns values of which only that is known what another node has shown.
func Shown(values map[string]any) *Values { return &Values{shown: values} }

// Decode returns what decode makes of the shown value of that name, and stores it by its key. It returns nil if there
// is none, or decode does.
func (v *Values) Decode(key any, name string, decode func(shown any) any) any {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.list { // it may have been stored meanwhile
		if k.Key == key {
			return k.Value
		}
	}
	shown, ok := v.shown[name]
	if !ok {
		return nil
	}
	value := decode(shown)
	if v.hide(name); value != nil {
		v.list = append(v.list, Pair{key, value})
	}
	return value
}

// Hide forgets the shown value of that name, because another one takes its place.
func (v *Values) Hide(name string) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hide(name)
}

// hide is Hide with the lock held.
func (v *Values) hide(name string) {
	if name == "" {
		v.shown = nil
		return
	}
	delete(v.shown, name)
	delete(v.shown, "")
}

// EachShown calls fn with the shown values that are not decoded yet, with the lock held.
func (v *Values) EachShown(fn func(name string, shown any)) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, shown := range v.shown {
		fn(name, shown)
	}
}
