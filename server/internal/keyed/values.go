package keyed

import (
	"slices"
	"sync"
)

// Values has the values of a socket, by their keys. A socket has few, if any: a slice is enough. Safe for concurrent
// use, and shared by the lives of a socket that comes back; nil is empty.
type Values struct {
	mu   sync.Mutex
	list []Pair // guarded by mu
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
