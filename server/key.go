package server

import (
	"sync/atomic"

	"github.com/seed58c87869/siren/server/internal/keyed"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/shown"
	"github.com/seed58c87869/siren/server/internal/users"
)

// Key names a value of type T that handlers store with a socket. Immutable, safe for concurrent use. Make one per kind
// of value, as a package variable:
//
//	var user = server.NewKey[User]("user")
type Key[T any] struct {
	name   string
	shares bool
}

// KeyOption changes how a key keeps its values.
type KeyOption func(o *keyOptions)

type keyOptions struct{ shared bool }

// Shared makes the values of a key visible to the other nodes of a cluster, under its name: Socket.Data is an object
// with all of them, and FetchSockets returns it. They are encoded like arguments of Emit, whenever a node fetches, on
// another goroutine. So store values that do not change, and Set a new one instead. Of two shared keys with the same
// name only one is visible. A shared key without a name is for all of the data: Socket.Data is its value alone, as
// socket.data is in the reference.
func Shared() KeyOption { return func(o *keyOptions) { o.shared = true } }

// NewKey makes a key. The name is for people, and for other nodes if the key is Shared. Two keys of the same name are
// different keys.
func NewKey[T any](name string, opts ...KeyOption) *Key[T] {
	var o keyOptions
	for _, opt := range opts {
		opt(&o)
	}
	return &Key[T]{name: name, shares: o.shared}
}

// Shared implements shown.Key. It returns the name under which other nodes see the values, if they see them.
func (k *Key[T]) Shared() (name string, ok bool) { return k.name, k.shares }

// From returns the value that a fetched socket has for a shared key; ok reports whether there is one. Errors wrap
// ErrDecode.
func (k *Key[T]) From(r RemoteSocket) (v T, ok bool, err error) {
	member, ok := shown.Member(r.Data(), k.name)
	if !ok || !k.shares {
		return v, false, nil
	}
	err = packets.DecodeArg(member.JSON, member.Attachments, &v)
	return v, true, err
}

// String returns the key's name.
func (k *Key[T]) String() string { return k.name }

// Set stores v with the socket and replaces the previous value. A socket that comes back (Config.Recovery) has the
// values of its former life, including those that disconnect handlers set.
func (k *Key[T]) Set(s *Socket, v T) {
	s.mu.Lock()
	vs := s.ownValues()
	s.mu.Unlock()
	if k.shares {
		vs.Hide(k.name)
	}
	vs.Set(k, v)
}

// Get returns the value stored with the socket; ok reports whether there is one.
func (k *Key[T]) Get(s *Socket) (v T, ok bool) { return shown.Get[T](s.values(), k) }

// Delete removes the value stored with the socket, if there is one.
func (k *Key[T]) Delete(s *Socket) {
	if k.shares {
		s.values().Hide(k.name)
	}
	s.values().Remove(k)
}

// extra is what few sockets have.
type extra struct {
	// values are what keys keep; nil while there are none. Stored with the socket's mutex held, as is rare.
	values atomic.Pointer[keyed.Values]
	rare   atomic.Pointer[rare]
	// identity is what SetIdentity has set. Guarded by the socket's mutex.
	identity any
	// user is the user of SetUser. Guarded by the socket's mutex.
	user users.Entry[Socket]
}

// rare is what hardly any socket has.
type rare struct {
	own ownHandlers
	// recovery is nil unless the socket may come back. Immutable.
	recovery *recovery
}

// rarely makes what is rare, when there is nothing yet. Called with the socket's mutex held.
func (e *extra) rarely() *rare {
	r := e.rare.Load()
	if r == nil {
		r = new(rare)
		e.rare.Store(r)
	}
	return r
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

// values returns what keys keep; nil while there are none.
func (s *Socket) values() *keyed.Values {
	if e := s.extra.Load(); e != nil {
		return e.values.Load()
	}
	return nil
}

// ownValues makes the values, when there are none yet. Called with the socket's mutex held.
func (s *Socket) ownValues() *keyed.Values {
	e := s.extras()
	if e.values.Load() == nil {
		e.values.Store(new(keyed.Values))
	}
	return e.values.Load()
}
