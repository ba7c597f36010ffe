package server

import "slices"

// Key names a value of type T that handlers keep with a socket. Immutable, safe for concurrent use. Make one per
// kind of value, as a package variable:
//
//	var user = server.NewKey[User]("user")
type Key[T any] struct{ name string }

// NewKey makes a key. The name is for people; two keys of the same name are different keys.
func NewKey[T any](name string) *Key[T] { return &Key[T]{name} }

// String is the key's name.
func (k *Key[T]) String() string { return k.name }

// Set keeps v with the socket, in place of what was there.
func (k *Key[T]) Set(s *Socket, v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.extras()
	if e.values == nil {
		e.values = new(values)
	}
	e.values.set(k, v)
}

// Get is the value kept with the socket; ok tells whether there is one.
func (k *Key[T]) Get(s *Socket) (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.extra.Load()
	if e == nil || e.values == nil {
		return v, false
	}
	v, ok = e.values.get(k).(T)
	return v, ok
}

// Delete forgets the value kept with the socket, if there is one.
func (k *Key[T]) Delete(s *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.extra.Load(); e != nil && e.values != nil {
		e.values.remove(k)
	}
}

// extra is what few sockets have.
type extra struct {
	// values are what keys keep; nil while there are none. Guarded by the socket's mutex.
	values *values
	own    ownHandlers
}

// extras makes what is extra, when there is nothing yet. Called with the socket's mutex held.
func (s *Socket) extras() *extra {
	e := s.extra.Load()
	if e == nil {
		e = new(extra)
		s.extra.Store(e)
	}
	return e
}

// values are what keys keep. A socket has few, if any: a slice is enough. Guarded by the socket's mutex.
type values struct{ list []keyed }

type keyed struct{ key, value any }

func (v *values) set(key, value any) {
	for i := range v.list {
		if v.list[i].key == key {
			v.list[i].value = value
			return
		}
	}
	v.list = append(v.list, keyed{key, value})
}

func (v *values) get(key any) any {
	for _, k := range v.list {
		if k.key == key {
			return k.value
		}
	}
	return nil
}

func (v *values) remove(key any) {
	v.list = slices.DeleteFunc(v.list, func(k keyed) bool { return k.key == key })
}
