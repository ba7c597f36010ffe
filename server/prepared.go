package server

import (
	"bytes"
	"sync"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// Prepared is an event that was encoded once, to be sent often: to any sockets, of any namespace. Immutable, safe for
// concurrent use.
type Prepared struct {
	event       string
	args        []any
	attachments [][]byte
	// head and payload are the packet's text without a namespace.
	head, payload []byte

	mu sync.Mutex
	// frames are the finished ones, one for each namespace that was sent to.
	frames []preparedFrame
}

// preparedKeep bounds the namespaces whose frames are kept: the list is searched, and for more it is made anew.
const preparedKeep = 32

type preparedFrame struct {
	namespace string
	frame     *eio.Frame
}

// Prepare encodes an event. Errors: ErrReserved, ErrEncode. The arguments, and byte slices in them, must not change
// as long as it is in use.
func Prepare(event string, args ...any) (*Prepared, error) {
	text, attachments, err := sio.AppendEvent([]byte{byte(eio.Message)}, "/", noAck, event, args)
	if err != nil {
		return nil, encodeError(err)
	}
	// In front of the payload's bracket there are the types and the number of attachments.
	at := bytes.IndexByte(text, '[')
	return &Prepared{event: event, args: args, attachments: attachments, head: text[:at:at], payload: text[at:]}, nil
}

// frame is the frame for a namespace.
func (p *Prepared) frame(namespace string) *eio.Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.frames {
		if p.frames[i].namespace == namespace {
			return p.frames[i].frame
		}
	}
	text := p.head
	if namespace != "/" {
		text = append(append(text, namespace...), ',')
	}
	f := link(eio.NewText(append(text[:len(text):len(text)], p.payload...)), p.attachments)
	if len(p.frames) < preparedKeep {
		p.frames = append(p.frames, preparedFrame{namespace, f})
	}
	return f
}

// Send broadcasts a prepared event, as Emit does.
func (o Operator) Send(p *Prepared) (int, error) { return o.send(p.frame(o.ns.name)) }

// Send broadcasts a prepared event to all sockets of the namespace.
func (ns *Namespace) Send(p *Prepared) (int, error) { return ns.all().Send(p) }

// SendPrepared sends a prepared event to the client, as Emit does.
func (s *Socket) SendPrepared(p *Prepared) error {
	if s.closed.Load() {
		return ErrClosed
	}
	s.listenOut(p.event, p.args)
	return s.post(p.frame(s.ns.name), false)
}
