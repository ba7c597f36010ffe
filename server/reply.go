package server

import (
	"github.com/seed58c87869/siren/server/internal/packets"
)

// Reply is a client's answer: the arguments of its acknowledgement. Immutable.
type Reply struct {
	args packets.Arguments
	lib  packets.Library // nil for the built-in library
	// socket is the id of the socket whose client answered; "" for clients and handlers of other nodes.
	socket string
}

// SocketID returns the id of the socket whose client answered; it is empty if it is unknown, as for clients of other
// nodes.
func (r Reply) SocketID() string { return r.socket }

// Len returns the number of arguments.
func (r Reply) Len() int { return r.args.Len() }

// Args returns the arguments, each a Raw.
func (r Reply) Args() []any { return r.args.All() }

// Arg returns the argument with that index, from 0, or a Raw without JSON if there is none.
func (r Reply) Arg(i int) Raw { return r.args.At(i) }

// Decode decodes the arguments in order, as Message.Decode does.
func (r Reply) Decode(dst ...any) error { return r.args.Decode(r.lib, dst) }
