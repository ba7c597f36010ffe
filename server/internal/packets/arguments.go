package packets

import (
	"fmt"

	"github.com/seed58c87869/siren/codec/sio"
)

// Arguments has the encoded arguments of an event or an acknowledgement. Immutable once it is filled in.
type Arguments struct {
	json        []byte // without the brackets around them
	attachments [][]byte
	n           int
}

// Share sets a to the arguments of a packet, whose memory they share. It fills in a where it is: a copy of a value that
// has just been written takes longer than all else that is done with it.
func (a *Arguments) Share(p *sio.Packet, attachments [][]byte) {
	a.json, a.attachments, a.n = p.Args, attachments, p.NArgs
}

// Len returns the number of arguments.
func (a Arguments) Len() int { return a.n }

// Bytes returns the length of their JSON and their attachments.
func (a Arguments) Bytes() int {
	n := len(a.json)
	for _, b := range a.attachments {
		n += len(b)
	}
	return n
}

// Own copies the JSON, so that it does not share the packet's memory.
func (a *Arguments) Own() { a.json = append([]byte(nil), a.json...) }

// Data returns the arguments as an array.
func (a Arguments) Data() sio.Raw {
	return sio.Raw{JSON: append(append([]byte{'['}, a.json...), ']'), Attachments: a.attachments}
}

// All returns the arguments, each a sio.Raw.
func (a Arguments) All() []any {
	out := make([]any, 0, a.n)
	for rest := a.json; len(rest) > 0; {
		var arg []byte
		arg, rest = sio.NextArg(rest)
		out = append(out, sio.Raw{JSON: arg, Attachments: a.attachments})
	}
	return out
}

// At returns the argument with that index, from 0; it has no JSON if there is none.
func (a Arguments) At(i int) sio.Raw {
	rest := a.json
	for ; len(rest) > 0; i-- {
		var arg []byte
		arg, rest = sio.NextArg(rest)
		if i == 0 {
			return sio.Raw{JSON: arg, Attachments: a.attachments}
		}
	}
	return sio.Raw{}
}

// Decode decodes the arguments, in order, into the values that dst points to. A dst without an argument stays
// unchanged, a nil dst skips its argument, and further arguments are ignored. lib is nil for the built-in library.
// Errors wrap ErrDecode.
func (a Arguments) Decode(lib Library, dst []any) error {
	rest := a.json
	for i, d := range dst {
		if len(rest) == 0 {
			return nil
		}
		var arg []byte
		arg, rest = sio.NextArg(rest)
		if d == nil {
			continue
		}
		if err := DecodeWith(lib, arg, a.attachments, d); err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
	}
	return nil
}

// Clone returns a copy that shares no memory with a.
func (a Arguments) Clone() Arguments {
	c := Arguments{json: append([]byte(nil), a.json...), n: a.n}
	if a.attachments != nil {
		c.attachments = make([][]byte, len(a.attachments))
		for i, b := range a.attachments {
			c.attachments[i] = append([]byte{}, b...)
		}
	}
	return c
}

// DecodeArg decodes with the built-in library.
func DecodeArg(arg []byte, attachments [][]byte, dst any) error {
	if err := sio.Unmarshal(arg, attachments, dst); err != nil {
		return fmt.Errorf("%w: %w", ErrDecode, err)
	}
	return nil
}
