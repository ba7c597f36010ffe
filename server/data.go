package server

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// eventFor makes the frame of an event and, when its data is wanted, that from the same payload: an array, the name first,
// for other nodes and for listeners. It owns its data: what the arguments hold may be changed afterwards.
func (e *encoding) eventFor(ns string, id int64, event string, args []any, wanted bool) (f *eio.Frame, data Raw, err error) {
	p := newPayload(sio.Event, ns, id)
	defer p.release()
	if err = e.appendEvent(&p, event, args); err != nil {
		return nil, data, err
	}
	if wanted {
		data = p.data()
	}
	f, err = e.frame(&p)
	return f, data, err
}

// eventData is an event as an array. It owns its data.
func (e *encoding) eventData(event string, args []any) (Raw, error) {
	p := newPayload(sio.Event, "", noAck)
	defer p.release()
	err := e.appendEvent(&p, event, args)
	if err != nil {
		return Raw{}, err
	}
	return p.data(), nil
}

// argsData is a list of arguments as an array. It owns its data.
func (e *encoding) argsData(args []any) (Raw, error) {
	p := newPayload(sio.Ack, "", 0)
	defer p.release()
	err := e.appendAck(&p, args)
	if err != nil {
		return Raw{}, err
	}
	return p.data(), nil
}

// data is a copy.
func (p *payload) data() Raw {
	d := Raw{JSON: bytes.Clone(p.json())}
	for _, a := range p.attachments {
		d.Attachments = append(d.Attachments, append([]byte{}, a...))
	}
	return d
}

// errData is for data of another node that is no list of arguments.
var errData = errors.New("siren: not a list of arguments")

// parseData takes an array of another node apart. It may be anything.
func parseData(d Raw) (arguments, error) {
	b := bytes.Trim(d.JSON, " \t\r\n")
	if len(b) < 2 || b[0] != '[' || !sio.Valid(b, sio.MaxDepth) {
		return arguments{}, errData
	}
	a := arguments{json: b[1 : len(b)-1], attachments: d.Attachments}
	for rest := a.json; ; a.n++ {
		var arg []byte
		if arg, rest = sio.NextArg(rest); arg == nil {
			return a, nil
		}
	}
}

// parseEvent takes an event of another node apart.
func parseEvent(d Raw) (event string, args arguments, err error) {
	all, err := parseData(d)
	if err != nil {
		return "", args, err
	}
	name, rest := sio.NextArg(all.json)
	if len(name) == 0 || name[0] != '"' {
		return "", args, fmt.Errorf("%w: no event", errData)
	}
	if err := decodeArg(name, nil, &event); err != nil {
		return "", args, err
	}
	return event, arguments{json: rest, attachments: all.attachments, n: all.n - 1}, nil
}

// firstArg is the first of a list of arguments that was made here.
func firstArg(d Raw) Raw {
	if len(d.JSON) < 2 {
		return Raw{}
	}
	return arguments{json: d.JSON[1 : len(d.JSON)-1], attachments: d.Attachments}.at(0)
}
