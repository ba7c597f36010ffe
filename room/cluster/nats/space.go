package nats

import (
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// delivery is something that waits for the server. Immutable.
type delivery struct {
	// data is a message that was not decoded yet.
	data []byte
	// left is a node that has left the namespace, in place of data.
	left string
}

// deliveryOverhead is the size of a delivery besides its data, in bytes.
const deliveryOverhead = 96

// space is a namespace of the server. Safe for concurrent use.
type space struct {
	a        *Adapter // immutable, as the following fields are
	name     string
	subjects subjects
	receive  func(m *cluster.Message)
	inbox    *broker.Inbox[delivery]
	// partials and last belong to the inbox's goroutine.
	partials partials
	last     sender
}

func newSpace(a *Adapter, name string, receive func(m *cluster.Message)) *space {
	sp := &space{
		a: a, name: name, subjects: newSubjects(a.cfg.Prefix, token(name), token(a.cfg.Node)), receive: receive,
		partials: partials{longest: a.cfg.MaxMessage, bytesMax: a.cfg.InboxBytes},
	}
	bounds := broker.Bounds{Messages: a.cfg.InboxMessages, Bytes: a.cfg.InboxBytes}
	sp.inbox = broker.NewInbox(bounds, func(d *delivery) int { return len(d.data) + deliveryOverhead }, sp.deliver)
	return sp
}

// put queues something. If too much waits, it is dropped and counted.
func (sp *space) put(d delivery) {
	if d.left != "" {
		sp.inbox.PutAlways(d) // or what waits for the node would wait on
		return
	}
	if !sp.inbox.Put(d) {
		sp.a.status.DroppedBehind.Add(1)
	}
}

// deliver decodes a message and hands it to the server.
func (sp *space) deliver(d *delivery) {
	if d.left != "" {
		sp.partials.drop(d.left)
		sp.receive(&cluster.Message{Kind: cluster.NodeLeft, Namespace: sp.name, From: d.left})
		return
	}
	switch m, err := sp.decode(d.data); {
	case err == errOwn:
	case err != nil:
		sp.a.status.Malformed.Add(1)
	default:
		sp.a.status.Received.Add(1)
		sp.a.status.ReceivedBytes.Add(uint64(len(d.data)))
		if m != nil {
			sp.receive(m)
		}
	}
}

// decode returns a message; nil for a part of one that is not complete.
func (sp *space) decode(b []byte) (*cluster.Message, error) {
	b, err := sp.partials.whole(b, sp.a.cfg.MaxMessage)
	if b == nil || err != nil {
		return nil, err
	}
	kind, rest, err := frame(b)
	if err != nil || kind != frameMessage {
		return nil, errFormat
	}
	m, err := readMessage(rest, sp.name, &sp.last)
	if err == nil && m.From == sp.a.cfg.Node {
		return nil, errOwn
	}
	return m, err
}

// whole returns a message that came as a whole, or the one that is complete with this part; else nil.
func (p *partials) whole(b []byte, longest int) ([]byte, error) {
	if len(b) > longest {
		return nil, errTooLong
	}
	kind, rest, err := frame(b)
	if err != nil || kind != framePart {
		return b, err
	}
	return p.add(rest, time.Now())
}
