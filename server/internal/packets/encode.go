package packets

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/parser"
)

// NoAck is the packet id that asks for no acknowledgement.
const NoAck = -1

// Encoding makes the frames of all packets that a server sends, in two steps: values become a payload, a payload
// becomes a frame. Immutable, safe for concurrent use.
type Encoding struct {
	parser parser.Parser // nil for the default one
	json   Library       // nil for the built-in library
	// attachments is the greatest number of attachments of a packet of the default parser.
	attachments int
}

// DefaultAttachments is the greatest number of attachments of a packet that official clients accept since March 2026.
const DefaultAttachments = 10

// Default is the encoding of all servers without their own parser and JSON library, and with the default limit of
// attachments. Prepared events are encoded once for all of them.
var Default = &Encoding{attachments: DefaultAttachments}

// New returns the encoding of a server. p is nil for the default parser, json for the built-in library.
func New(p parser.Parser, json Library, attachments int) *Encoding {
	e := Encoding{parser: p, json: json, attachments: attachments}
	if e.parser == nil && e.json == nil && e.attachments == Default.attachments {
		return Default
	}
	return &e
}

// Parsed reports whether the packets are encoded by a parser of the application's.
func (e *Encoding) Parsed() bool { return e.parser != nil }

// Library returns the application's JSON library, or nil for the built-in one.
func (e *Encoding) Library() Library { return e.json }

// Event makes the frame of an event, with its attachments.
func (e *Encoding) Event(ns string, id int64, event string, args []any) (*eio.Frame, error) {
	p := NewPayload(sio.Event, ns, id)
	defer p.Release()
	if err := e.AppendEvent(p, event, args); err != nil {
		return nil, err
	}
	return e.Frame(p)
}

// Ack makes the frame of an acknowledgement, with its attachments.
func (e *Encoding) Ack(ns string, id uint64, args []any) (*eio.Frame, error) {
	p := NewPayload(sio.Ack, ns, int64(id))
	defer p.Release()
	if err := e.appendAck(p, args); err != nil {
		return nil, err
	}
	return e.Frame(p)
}

// Connect makes the frame that tells a client that its socket is connected. A socket that may come back has a private
// id besides.
func (e *Encoding) Connect(ns, sid, pid string) *eio.Frame {
	var buf [96]byte
	data := append(append(buf[:0], `{"sid":"`...), sid...)
	if pid != "" {
		data = append(append(data, `","pid":"`...), pid...)
	}
	return e.Plain(sio.Connect, ns, append(data, `"}`...))
}

// Disconnect makes the frame that tells a client that its socket is disconnected.
func (e *Encoding) Disconnect(ns string) *eio.Frame { return e.Plain(sio.Disconnect, ns, nil) }

// ConnectError makes a refusal without data.
func (e *Encoding) ConnectError(ns, message string) *eio.Frame {
	// Without data there is nothing that cannot be encoded.
	data, _ := sio.AppendConnectErrorPayload(nil, message, nil, false)
	return e.Plain(sio.ConnectError, ns, data)
}

// value returns a value encoded by the application's JSON library, if there is one.
func (e *Encoding) value(v any) (any, error) {
	if e.json == nil {
		return v, nil
	}
	args, err := marshalArgs(e.json, []any{v})
	if err != nil {
		return nil, err
	}
	return args[0], nil
}

// Plain returns the frame of a packet without id and attachments. It returns nil, which sends nothing, if a parser of
// the application fails. data is not kept.
func (e *Encoding) Plain(t sio.Type, ns string, data []byte) *eio.Frame {
	if e.parser != nil {
		f, _ := e.translate(&parser.Packet{Type: t, Namespace: ns, Data: slices.Clone(data)})
		return f
	}
	var buf [160]byte
	head := sio.AppendHead(append(buf[:0], byte(eio.Message)), t, 0, ns, NoAck)
	return eio.NewText(append(head, data...))
}

// Payload is the JSON of a packet and its attachments, in a pooled buffer. The default parser's head for a packet
// without attachments is already in front of the JSON, so that most packets are complete.
type Payload struct {
	text        []byte
	start       int // where the JSON begins
	attachments [][]byte

	kind sio.Type
	ns   string
	id   int64 // none if negative
}

// payloadPool holds the payloads in which packets are encoded before they are copied to their exact size.
var payloadPool = sync.Pool{New: func() any { return new(Payload) }}

// payloadKeep is the largest buffer that returns to the pool.
const payloadKeep = 256 << 10

// NewPayload begins the payload of a packet. The caller must release it.
func NewPayload(t sio.Type, ns string, id int64) *Payload {
	p := payloadPool.Get().(*Payload)
	p.text = sio.AppendHead(append(p.text[:0], byte(eio.Message)), t, 0, ns, id)
	p.start, p.kind, p.ns, p.id = len(p.text), t, ns, id
	return p
}

// json returns the payload's text, valid until it is released.
func (p *Payload) json() []byte { return p.text[p.start:] }

// End returns the position at which SetLast puts another argument of an event.
func (p *Payload) End() int { return len(p.text) - 1 } // in front of the bracket

// SetLast puts an argument there, in place of what is there: a text that JSON does not escape.
func (p *Payload) SetLast(end int, arg string) {
	p.text = append(append(append(p.text[:end], `,"`...), arg...), `"]`...)
}

// Release ends the use of the payload and of its JSON.
func (p *Payload) Release() {
	text := p.text[:0]
	if cap(text) > payloadKeep {
		text = nil
	}
	*p = Payload{text: text}
	payloadPool.Put(p)
}

// AppendEvent fills an empty payload with the name of an event and its arguments.
func (e *Encoding) AppendEvent(p *Payload, event string, args []any) (err error) {
	if e.json != nil {
		if args, err = marshalArgs(e.json, args); err != nil {
			return err
		}
	}
	if p.text, p.attachments, err = sio.AppendEventPayload(p.text, event, args); err != nil {
		return encodeError(err)
	}
	return nil
}

// appendAck fills an empty payload with the arguments of an acknowledgement.
func (e *Encoding) appendAck(p *Payload, args []any) (err error) {
	if e.json != nil {
		if args, err = marshalArgs(e.json, args); err != nil {
			return err
		}
	}
	if p.text, p.attachments, err = sio.AppendAckPayload(p.text, args); err != nil {
		return encodeError(err)
	}
	return nil
}

func encodeError(err error) error {
	if errors.Is(err, sio.ErrReserved) {
		return fmt.Errorf("%w: %w", ErrReserved, err)
	}
	return fmt.Errorf("%w: %w", ErrEncode, err)
}

// Frame makes the frame of the packet with that payload, and its attachments.
func (e *Encoding) Frame(p *Payload) (*eio.Frame, error) {
	if e.parser != nil {
		return e.translate(&parser.Packet{
			Type: p.kind, Namespace: p.ns, ID: uint64(max(p.id, 0)), HasID: p.id >= 0, Data: p.json(), Attachments: p.attachments,
		})
	}
	if n := len(p.attachments); n > e.attachments {
		return nil, fmt.Errorf("%w: %d, and %d are possible", ErrTooManyAttachments, n, e.attachments)
	} else if n > 0 {
		var buf [128]byte
		head := sio.AppendHead(append(buf[:0], byte(eio.Message)), p.kind, n, p.ns, p.id)
		p.text = slices.Replace(p.text, 0, p.start, head...)
		p.start = len(head)
	}
	return link(eio.NewText(p.text), p.attachments), nil
}

func link(head *eio.Frame, attachments [][]byte) *eio.Frame {
	if len(attachments) == 0 {
		return head
	}
	linked := make([]*eio.Frame, len(attachments))
	for i, a := range attachments {
		linked[i] = eio.NewBinary(a)
	}
	return eio.Link(head, linked...)
}
