package server

import (
	"slices"
	"sync"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// Prepared is an event that was encoded once, to be sent often: to any sockets, of any namespace. Immutable, safe for
// concurrent use.
type Prepared struct {
	event       string
	args        []any
	json        []byte // the payload
	attachments [][]byte

	mu sync.Mutex
	// frames are the finished ones, one for each namespace that was sent to, and another one for each that is not to be
	// compressed.
	frames []preparedFrame
}

// preparedKeep bounds the frames that are kept: the list is searched, and for more it is made anew.
const preparedKeep = 32

type preparedFrame struct {
	enc       *encoding
	namespace string
	plain     bool
	frame     *eio.Frame
}

// Prepare encodes an event, with the built-in JSON library. Errors: ErrReserved, ErrEncode. The arguments, and byte
// slices in them, must not change as long as it is in use.
func Prepare(event string, args ...any) (*Prepared, error) {
	return defaultEncoding.prepare(event, args)
}

// Prepare is the function Prepare with the server's own JSON library, see Config.JSON.
func (srv *Server) Prepare(event string, args ...any) (*Prepared, error) {
	return srv.enc.prepare(event, args)
}

func (e *encoding) prepare(event string, args []any) (*Prepared, error) {
	p := newPayload(sio.Event, "", noAck)
	defer p.release()
	if err := e.appendEvent(&p, event, args); err != nil {
		return nil, err
	}
	return &Prepared{event: event, args: args, json: slices.Clone(p.json()), attachments: p.attachments}, nil
}

// Size is the number of bytes that the event takes, for a client that is sent it without compression: its JSON and its
// attachments, without what frames and namespaces add. See Queue.MaxBytes for how much may wait for one client.
func (p *Prepared) Size() int {
	n := len(p.json)
	for _, a := range p.attachments {
		n += len(a)
	}
	return n
}

// fill makes it the payload of a packet.
func (p *Prepared) fill(to *payload) error {
	to.text, to.attachments = append(to.text, p.json...), p.attachments
	return nil
}

// frame is the frame for a namespace; a plain one is not to be compressed. An error is that of a parser of the application's.
func (p *Prepared) frame(e *encoding, namespace string, plain bool) (*eio.Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.frames {
		if k := &p.frames[i]; k.enc == e && k.namespace == namespace && k.plain == plain {
			return k.frame, nil
		}
	}
	whole := newPayload(sio.Event, namespace, noAck)
	defer whole.release()
	_ = p.fill(&whole)
	f, err := e.frame(&whole)
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

// EmitPrepared broadcasts a prepared event, as Emit does.
func (o Operator) EmitPrepared(p *Prepared) (int, error) {
	if o.ns.history != nil {
		return o.emitKept(p.fill)
	}
	f, err := p.frame(o.ns.srv.enc, o.ns.name, o.flags.plain)
	if err != nil {
		return 0, err
	}
	return o.send(f, Raw{JSON: p.json, Attachments: p.attachments})
}

// EmitPrepared broadcasts a prepared event to all sockets of the namespace.
func (ns *Namespace) EmitPrepared(p *Prepared) (int, error) { return ns.all().EmitPrepared(p) }

// EmitPrepared sends a prepared event to the client, as Emit does.
func (s *Socket) EmitPrepared(p *Prepared) error { return Emission{s: s}.EmitPrepared(p) }
