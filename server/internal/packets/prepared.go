package packets

import (
	"slices"
	"sync"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// Prepared is an event that is encoded once and sent often, to any sockets of any namespace. Immutable, safe for
// concurrent use.
type Prepared struct {
	// Event is the event's name, args its arguments.
	Event       string
	Args        []any
	json        []byte // the payload
	attachments [][]byte

	mu sync.Mutex
	// frames has the finished frames: one for each namespace, and another one for each without compression.
	frames []preparedFrame
}

// preparedKeep bounds the frames that are kept, because the list is searched. Further ones are made each time.
const preparedKeep = 32

type preparedFrame struct {
	enc       *Encoding
	namespace string
	plain     bool
	frame     *eio.Frame
}

// Prepare encodes an event into to, which is empty. The arguments must not change as long as to is in use.
func (e *Encoding) Prepare(to *Prepared, event string, args []any) error {
	p := NewPayload(sio.Event, "", NoAck)
	defer p.Release()
	if err := e.AppendEvent(p, event, args); err != nil {
		return err
	}
	to.Event, to.Args, to.json, to.attachments = event, args, slices.Clone(p.json()), p.attachments
	return nil
}

// Data returns the event as an array. It is not a copy.
func (p *Prepared) Data() sio.Raw { return sio.Raw{JSON: p.json, Attachments: p.attachments} }

// Fill makes the event the payload of a packet.
func (p *Prepared) Fill(to *Payload) error {
	to.text, to.attachments = append(to.text, p.json...), p.attachments
	return nil
}

// Frame returns the frame for a namespace; plain means without compression. An error is that of a parser of the
// application.
func (p *Prepared) Frame(e *Encoding, namespace string, plain bool) (*eio.Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.frames {
		if k := &p.frames[i]; k.enc == e && k.namespace == namespace && k.plain == plain {
			return k.frame, nil
		}
	}
	whole := NewPayload(sio.Event, namespace, NoAck)
	defer whole.Release()
	_ = p.Fill(whole)
	f, err := e.Frame(whole)
	if err != nil {
		return nil, err
	}
	if plain {
		eio.Plain(f)
	}
	if len(p.frames) < preparedKeep {
		p.frames = append(p.frames, preparedFrame{e, namespace, plain, f})
	}
	return f, nil
}

// Size returns the number of bytes of its JSON and its attachments.
func (p *Prepared) Size() int {
	n := len(p.json)
	for _, a := range p.attachments {
		n += len(a)
	}
	return n
}
