package server

import "github.com/seed58c87869/siren/server/internal/collect"

// Reply is a client's answer: the arguments of its acknowledgement. Immutable.
type Reply struct{ answer collect.Answer }

// SocketID returns the id of the socket whose client answered; it is empty if it is unknown, as for clients of other
// nodes.
func (r Reply) SocketID() string { return r.answer.Socket }

// Len returns the number of arguments.
func (r Reply) Len() int { return r.answer.Args.Len() }

// Args returns the arguments, each a Raw.
func (r Reply) Args() []any { return r.answer.Args.All() }

// Arg returns the argument with that index, from 0, or a Raw without JSON if there is none.
func (r Reply) Arg(i int) Raw { return r.answer.Args.At(i) }

// Decode decodes the arguments in order, as Message.Decode does.
func (r Reply) Decode(dst ...any) error { return r.answer.Args.Decode(r.answer.Lib, dst) }
