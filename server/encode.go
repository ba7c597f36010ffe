package server

import (
	"errors"
	"fmt"
	"slices"

	"github.com/valyala/bytebufferpool"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// noAck as a packet id asks for no acknowledgement.
const noAck = -1

// encoding makes the frames of all packets that a server sends, in two steps: values become a payload, a payload becomes
// a frame. Immutable, safe for concurrent use.
type encoding struct {
	parser Parser // nil for the default one
	json   JSON   // nil for the built-in library
}

// defaultEncoding is that of all servers without a parser and a JSON library of the application's: events that were
// prepared are encoded once for all of them.
var defaultEncoding = new(encoding)

// encodingOf is the encoding of a server with that configuration.
func encodingOf(cfg *Config) *encoding {
	if cfg.Parser == nil && cfg.JSON == nil {
		return defaultEncoding
	}
	return &encoding{parser: cfg.Parser, json: cfg.JSON}
}

// event makes the frame of an event, with its attachments.
func (e *encoding) event(ns string, id int64, event string, args []any) (*eio.Frame, error) {
	p := newPayload(ns)
	defer p.release()
	if err := e.appendEvent(&p, event, args); err != nil {
		return nil, err
	}
	return e.frame(&p, sio.Event, ns, id)
}

// ack makes the frame of an acknowledgement, with its attachments.
func (e *encoding) ack(ns string, id uint64, args []any) (*eio.Frame, error) {
	p := newPayload(ns)
	defer p.release()
	if err := e.appendAck(&p, args); err != nil {
		return nil, err
	}
	return e.frame(&p, sio.Ack, ns, int64(id))
}

// connect makes the frame that tells a client that its socket is connected.
func (e *encoding) connect(ns, sid string) *eio.Frame {
	var buf [64]byte
	data := append(append(append(buf[:0], `{"sid":"`...), sid...), `"}`...)
	return e.plain(sio.Connect, ns, data)
}

// disconnect makes the frame that tells a client that its socket is disconnected.
func (e *encoding) disconnect(ns string) *eio.Frame { return e.plain(sio.Disconnect, ns, nil) }

// connectError makes a refusal without data.
func (e *encoding) connectError(ns, message string) *eio.Frame {
	// Without data there is nothing that cannot be encoded.
	data, _ := sio.AppendConnectErrorPayload(nil, message, nil, false)
	return e.plain(sio.ConnectError, ns, data)
}

// value is a value as the application's JSON library encodes it, if there is one.
func (e *encoding) value(v any) (any, error) {
	if e.json == nil {
		return v, nil
	}
	args, err := marshalArgs(e.json, []any{v})
	if err != nil {
		return nil, err
	}
	return args[0], nil
}

// plain makes the frame of a packet without id and attachments. It is nil, which sends nothing, if a parser of the
// application's fails; data is not kept.
func (e *encoding) plain(t sio.Type, ns string, data []byte) *eio.Frame {
	if e.parser != nil {
		f, _ := e.translate(&Packet{Type: t, Namespace: ns, Data: slices.Clone(data)})
		return f
	}
	var buf [160]byte
	head := sio.AppendHead(append(buf[:0], byte(eio.Message)), t, 0, ns, noAck)
	return eio.NewText(append(head, data...))
}

// payload is the JSON of a packet and its attachments, in a pooled buffer. There is room in front of the JSON for what
// the default parser puts there, so that a packet is one slice without another copy.
type payload struct {
	buf         *bytebufferpool.ByteBuffer
	start       int // where the JSON begins
	attachments [][]byte
}

// payloadPool holds the buffers in which packets are encoded before they are copied to their exact size.
var payloadPool bytebufferpool.Pool

// headBytes is the most that stands in front of a payload besides the namespace: two types, the number of attachments
// and the id with their separators.
const headBytes = 2 + 20 + 1 + 1 + 20

func newPayload(ns string) payload {
	buf, start := payloadPool.Get(), headBytes+len(ns)
	buf.B = slices.Grow(buf.B[:0], start)[:start]
	return payload{buf: buf, start: start}
}

func (p *payload) release() { payloadPool.Put(p.buf) }

// json is the payload's text, valid until release.
func (p *payload) json() []byte { return p.buf.B[p.start:] }

// appendEvent fills an empty payload with the name of an event and its arguments.
func (e *encoding) appendEvent(p *payload, event string, args []any) (err error) {
	if e.json != nil {
		if args, err = marshalArgs(e.json, args); err != nil {
			return err
		}
	}
	if p.buf.B, p.attachments, err = sio.AppendEventPayload(p.buf.B, event, args); err != nil {
		return encodeError(err)
	}
	return nil
}

// appendAck fills an empty payload with the arguments of an acknowledgement.
func (e *encoding) appendAck(p *payload, args []any) (err error) {
	if e.json != nil {
		if args, err = marshalArgs(e.json, args); err != nil {
			return err
		}
	}
	if p.buf.B, p.attachments, err = sio.AppendAckPayload(p.buf.B, args); err != nil {
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

// frame makes the frame of a packet with that payload, and its attachments. A negative id is none. The namespace is the
// one the payload was made for, or a shorter one.
func (e *encoding) frame(p *payload, t sio.Type, ns string, id int64) (*eio.Frame, error) {
	if e.parser != nil {
		return e.translate(&Packet{
			Type: t, Namespace: ns, ID: uint64(max(id, 0)), HasID: id >= 0, Data: p.json(), Attachments: p.attachments,
		})
	}
	b := p.buf.B
	n := len(sio.AppendHead(append(b[:0], byte(eio.Message)), t, len(p.attachments), ns, id))
	copy(b[p.start-n:p.start], b[:n])
	return link(eio.NewText(b[p.start-n:]), p.attachments), nil
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
