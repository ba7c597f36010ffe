// Package early has the packets that were sent to a socket before its CONNECT packet.
package early

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/session"
)

// Packets are the packets of one socket that wait for CONNECT. From memory.ListMin bytes on they are counted in the
// loop's ledger. Loop-owned; nil is empty.
type Packets struct {
	ledger *memory.Ledger
	owner  Owner
	frames []*eio.Frame
	bytes  int
	// counted: the frames are in the ledger.
	counted bool
}

// Owner is the client of a socket.
type Owner interface {
	// Evict ends the client because all clients together hold too much memory.
	Evict()
}

// New returns no packets. ledger is that of the client's loop.
func New(ledger *memory.Ledger, owner Owner) *Packets { return &Packets{ledger: ledger, owner: owner} }

// Bytes returns the size of the packets.
func (p *Packets) Bytes() int { return p.bytes }

// Add adds a packet.
func (p *Packets) Add(f *eio.Frame) {
	p.frames = append(p.frames, f)
	p.bytes += f.Size()
	switch {
	case p.counted:
		session.CountPacket(p.ledger, f)
	case p.bytes >= memory.ListMin && p.ledger.On():
		p.counted = true
		for _, f := range p.frames {
			session.CountPacket(p.ledger, f)
		}
		p.ledger.List(p)
	}
}

// Take returns the packets, in order, and takes them off the ledger. p must not be used any more.
func (p *Packets) Take() []*eio.Frame {
	if p == nil {
		return nil
	}
	if p.counted {
		p.counted = false
		for _, f := range p.frames {
			session.UncountPacket(p.ledger, f)
		}
		p.ledger.Unlist(p)
	}
	return p.frames
}

// Held implements memory.Holder.
func (p *Packets) Held() int {
	if !p.counted {
		return 0
	}
	return session.PacketsHeld(p.ledger, p.frames)
}

// Evict implements memory.Holder.
func (p *Packets) Evict() { p.owner.Evict() }
