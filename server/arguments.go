package server

import (
	"fmt"

	"github.com/seed58c87869/siren/codec/sio"
)

// Raw is one JSON value with the binary attachments its placeholders name. As an argument of Emit or Ack it is sent
// as it is; as the type of a handler's argument it takes any value. It owns its data, unless it comes from the
// Message of an inline handler. Clone copies it.
type Raw = sio.Raw

// arguments are those of an event or an acknowledgement, not decoded yet. Immutable.
type arguments struct {
	json        []byte // without the brackets around them
	attachments [][]byte
	n           int
}

// all are the arguments, each a Raw.
func (a arguments) all() []any {
	out := make([]any, 0, a.n)
	for rest := a.json; len(rest) > 0; {
		var arg []byte
		arg, rest = sio.NextArg(rest)
		out = append(out, Raw{JSON: arg, Attachments: a.attachments})
	}
	return out
}

func (a arguments) at(i int) Raw {
	rest := a.json
	for ; len(rest) > 0; i-- {
		var arg []byte
		arg, rest = sio.NextArg(rest)
		if i == 0 {
			return Raw{JSON: arg, Attachments: a.attachments}
		}
	}
	return Raw{}
}

// decode decodes the arguments into what dst points to, in order; see Message.Decode. lib is nil for the built-in library.
func (a arguments) decode(lib JSON, dst []any) error {
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
		if err := decodeWith(lib, arg, a.attachments, d); err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
	}
	return nil
}

// clone shares no memory with a.
func (a arguments) clone() arguments {
	c := arguments{json: append([]byte(nil), a.json...), n: a.n}
	if a.attachments != nil {
		c.attachments = make([][]byte, len(a.attachments))
		for i, b := range a.attachments {
			c.attachments[i] = append([]byte{}, b...)
		}
	}
	return c
}

// decodeArg decodes with the built-in library.
func decodeArg(arg []byte, attachments [][]byte, dst any) error {
	if err := sio.Unmarshal(arg, attachments, dst); err != nil {
		return fmt.Errorf("%w: %w", ErrDecode, err)
	}
	return nil
}
