package packets

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// EventFor returns the frame of an event and, if its data is wanted, the event as an array, for other nodes and for
// listeners. The data is a copy: the arguments may change afterwards.
func (e *Encoding) EventFor(ns string, id int64, event string, args []any, wanted bool) (f *eio.Frame, data sio.Raw, err error) {
	p := NewPayload(sio.Event, ns, id)
	defer p.Release()
	if err = e.AppendEvent(p, event, args); err != nil {
		return nil, data, err
	}
	if wanted {
		data = p.Data()
	}
	f, err = e.Frame(p)
	return f, data, err
}

// EventData returns an event as an array. It is a copy.
func (e *Encoding) EventData(event string, args []any) (sio.Raw, error) {
	p := NewPayload(sio.Event, "", NoAck)
	defer p.Release()
	err := e.AppendEvent(p, event, args)
	if err != nil {
		return sio.Raw{}, err
	}
	return p.Data(), nil
}

// ArgsData returns a list of arguments as an array. It is a copy.
func (e *Encoding) ArgsData(args []any) (sio.Raw, error) {
	p := NewPayload(sio.Ack, "", 0)
	defer p.Release()
	err := e.appendAck(p, args)
	if err != nil {
		return sio.Raw{}, err
	}
	return p.Data(), nil
}

// Data returns a copy.
func (p *Payload) Data() sio.Raw {
	d := sio.Raw{JSON: bytes.Clone(p.json())}
	for _, a := range p.attachments {
		d.Attachments = append(d.Attachments, append([]byte{}, a...))
	}
	return d
}

// ErrData means that data of another node is not a list of arguments.
var ErrData = errors.New("siren: not a list of arguments")

// ParseData parses an array of another node, which may be invalid.
func ParseData(d sio.Raw) (Arguments, error) {
	b := bytes.Trim(d.JSON, " \t\r\n")
	if len(b) < 2 || b[0] != '[' || !sio.Valid(b, sio.MaxDepth) {
		return Arguments{}, ErrData
	}
	a := Arguments{json: b[1 : len(b)-1], attachments: d.Attachments}
	for rest := a.json; ; a.n++ {
		var arg []byte
		if arg, rest = sio.NextArg(rest); arg == nil {
			return a, nil
		}
	}
}

// ParseEvent parses an event of another node.
func ParseEvent(d sio.Raw) (event string, args Arguments, err error) {
	all, err := ParseData(d)
	if err != nil {
		return "", args, err
	}
	name, rest := sio.NextArg(all.json)
	if len(name) == 0 || name[0] != '"' {
		return "", args, fmt.Errorf("%w: no event", ErrData)
	}
	if err := DecodeArg(name, nil, &event); err != nil {
		return "", args, err
	}
	return event, Arguments{json: rest, attachments: all.attachments, n: all.n - 1}, nil
}

// FirstArg returns the first of a list of arguments that this package has made.
func FirstArg(d sio.Raw) sio.Raw {
	if len(d.JSON) < 2 {
		return sio.Raw{}
	}
	return Arguments{json: d.JSON[1 : len(d.JSON)-1], attachments: d.Attachments}.At(0)
}

// FrameOf encodes the event in data, which EventData has made here or elsewhere, with one more argument, a text that
// JSON does not escape.
func (e *Encoding) FrameOf(ns string, data sio.Raw, last string) (*eio.Frame, error) {
	event, args, err := ParseEvent(data)
	if err != nil {
		return nil, err
	}
	p := NewPayload(sio.Event, ns, NoAck)
	defer p.Release()
	if err := e.AppendEvent(p, event, args.All()); err != nil {
		return nil, err
	}
	p.SetLast(p.End(), last)
	return e.Frame(p)
}
