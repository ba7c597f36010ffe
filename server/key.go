package server

import "slices"

// Key names a value of type T that handlers keep with a socket. Immutable, safe for concurrent use. Make one per
// kind of value, as a package variable:
//
//	var user = server.NewKey[User]("user")
type Key[T any] struct {
	name   string
	shares bool
}

// KeyOption changes how a key keeps its values.
type KeyOption func(o *keyOptions)

type keyOptions struct{ shared bool }

// Shared lets the other nodes of a cluster see the values of a key, under its name: Socket.Data is an object with all of
// them, and FetchSockets brings it. They are encoded as arguments of Emit are, whenever somebody fetches, on another
// goroutine: so keep values that do not change, and Set another one instead. Of two shared keys with the same name one is
// seen.
func Shared() KeyOption { return func(o *keyOptions) { o.shared = true } }

// NewKey makes a key. The name is for people, and for other nodes when the key is Shared; two keys of the same name are
// different keys.
func NewKey[T any](name string, opts ...KeyOption) *Key[T] {
	var o keyOptions
	for _, opt := range opts {
		opt(&o)
	}
	return &Key[T]{name: name, shares: o.shared}
}

// sharedKey is a Key of any type.
type sharedKey interface{ shared() (name string, ok bool) }

// shared is the name under which other nodes see the values.
func (k *Key[T]) shared() (name string, ok bool) { return k.name, k.shares }

// From is the value that a fetched socket has for a shared key; ok tells whether there is one. Errors wrap ErrDecode.
func (k *Key[T]) From(r RemoteSocket) (v T, ok bool, err error) {
	var members map[string]Raw
	if data := r.Data(); !k.shares || len(data.JSON) == 0 || data.JSON[0] != '{' || data.Unmarshal(&members) != nil {
		return v, false, nil
	}
	member, ok := members[k.name]
	if !ok {
		return v, false, nil
	}
	err = decodeArg(member.JSON, member.Attachments, &v)
	return v, true, err
}

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
	// recovery is nil unless the socket may come back.
	recovery *recovery
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
