package nats

import (
	"encoding/binary"
	"time"
)

// A message that is longer than the broker takes is sent in parts, one after the other, on the message's subject. Each
// part is the sender, a number that all parts of the message have, the length of the message, the part's place in it,
// and its bytes.

// partHead bounds what a part has besides its bytes and its sender.
const partHead = 2 + 5*binary.MaxVarintLen64

// split calls send with the parts of a message, of most bytes each.
func split(b []byte, from string, number uint64, most int, send func(part []byte) error) error {
	room := most - partHead - len(from)
	if room <= 0 {
		return errTooLong
	}
	var part []byte
	for at := 0; at < len(b); at += room {
		piece := b[at:min(at+room, len(b))]
		part = appendText(append(part[:0], wireVersion, framePart), from)
		part = binary.AppendUvarint(binary.AppendUvarint(part, number), uint64(len(b)))
		part = append(binary.AppendUvarint(part, uint64(at)), piece...)
		if err := send(part); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of incomplete messages: a node sends the parts of a message in a row, so there are few at a time, and the rest
// of one that was begun comes at once.
const (
	partialsMax = 64
	partialTime = 10 * time.Second
)

// partials are the incomplete messages on the subjects of a namespace. They belong to one goroutine.
type partials struct {
	longest, bytesMax int // immutable
	by                map[string]*partial
	bytes             int
}

// partial is the beginning of a message.
type partial struct {
	number uint64
	total  int
	b      []byte
	began  time.Time
}

// add takes a part without its first two bytes and returns the message when it is complete, else nil.
func (p *partials) add(b []byte, now time.Time) ([]byte, error) {
	r := reader{b: b}
	from, number, total, at := r.text(), r.number(), r.number(), r.number()
	if r.failed || total > uint64(p.longest) || at+uint64(len(r.b)) > total || len(r.b) == 0 {
		return nil, errFormat
	}
	x := p.by[from]
	if at == 0 {
		p.drop(from)
		if x = p.begin(from, now); x != nil {
			x.number, x.total = number, int(total)
		}
	}
	if x == nil || x.number != number || x.total != int(total) || uint64(len(x.b)) != at || p.bytes+len(r.b) > p.bytesMax {
		p.drop(from)
		return nil, errFormat
	}
	x.b = append(x.b, r.b...)
	p.bytes += len(r.b)
	if len(x.b) < x.total {
		return nil, nil
	}
	p.drop(from)
	return x.b, nil
}

// begin makes room for a node's message. It returns nil if there are too many.
func (p *partials) begin(from string, now time.Time) *partial {
	if len(p.by) >= partialsMax {
		for name, x := range p.by {
			if now.Sub(x.began) > partialTime {
				p.drop(name)
			}
		}
	}
	if len(p.by) >= partialsMax {
		return nil
	}
	x := &partial{began: now}
	if p.by == nil {
		p.by = map[string]*partial{}
	}
	p.by[from] = x
	return x
}

// drop forgets the incomplete message of a node.
func (p *partials) drop(from string) {
	if x := p.by[from]; x != nil {
		p.bytes -= len(x.b)
		delete(p.by, from)
	}
}
