// Package partial has the incomplete packet of a connection: its text while attachments are missing or, with a parser
// of the application, what its decoder holds.
package partial

import (
	"sync"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/session"
)

// Owner is the connection of an incomplete packet. Its methods are called on the connection's loop.
type Owner interface {
	// Late is called when the rest of the packet has not come in time.
	Late()
	// Evict ends the connection because all clients together hold too much memory.
	Evict()
}

// Packet is the incomplete packet of a connection. With the default parser it exists only while there is one, because
// nearly all packets have no attachments. With another parser it has the connection's decoder. It is counted in the
// loop's ledger. Loop-owned.
type Packet struct {
	timer   wheel.Timer // runs while the packet is not whole
	owner   Owner
	loop    session.Loop
	timeout time.Duration
	asm     sio.Assembler
	// stream is for parsers of the application; nil with the default one.
	stream *packets.Stream
	held   int // what the loop's ledger has for it
}

// unused has values for reuse with the default parser, where the attachments of a packet usually arrive in the same
// read.
var unused = sync.Pool{New: func() any {
	p := new(Packet)
	p.timer.Init(p)
	return p
}}

// Begin keeps a packet of the default parser until its attachments have arrived, which may take timeout. It copies the
// text.
func Begin(owner Owner, loop session.Loop, timeout time.Duration, text []byte, packet *sio.Packet) *Packet {
	p := unused.Get().(*Packet)
	p.owner, p.loop, p.timeout = owner, loop, timeout
	p.asm.Begin(text, packet)
	p.count(p.held + len(text))
	p.await()
	return p
}

// New returns the packets of a connection whose parser is the application's. A packet may take timeout from its first
// message on.
func New(owner Owner, loop session.Loop, timeout time.Duration, stream *packets.Stream) *Packet {
	p := &Packet{owner: owner, loop: loop, timeout: timeout, stream: stream}
	p.timer.Init(p)
	return p
}

// Add adds an attachment to a packet of Begin. done is true when it was the last one: the packet and its attachments
// then belong to the caller, who must call Drop. An error ends the connection.
func (p *Packet) Add(data []byte, limits *sio.Limits) (packet sio.Packet, attachments [][]byte, done bool, err error) {
	done, err = p.asm.Add(data, limits)
	switch {
	case err != nil:
	case done:
		packet, attachments = p.asm.Take()
	default:
		p.count(p.held + len(data))
	}
	return packet, attachments, done, err
}

// Decode handles the next message with the application's parser. done is true when it completes a packet, which then
// belongs to the caller, with its attachments. An error ends the connection.
func (p *Packet) Decode(message []byte, binary bool) (packet sio.Packet, attachments [][]byte, done bool, err error) {
	packet, attachments, done, err = p.stream.Add(message, binary)
	switch {
	case err != nil:
	case done:
		p.loop.Wheel().Cancel(&p.timer)
		p.count(0)
	default:
		p.count(p.stream.Held())
		p.await()
	}
	return packet, attachments, done, err
}

// Drop forgets the packet. It must not be used any more.
func (p *Packet) Drop() {
	p.loop.Wheel().Cancel(&p.timer)
	p.count(0)
	if p.stream != nil {
		p.stream.Reset()
		return
	}
	p.asm.Reset()
	p.owner, p.loop = nil, nil
	unused.Put(p)
}

// await starts the time-out for the rest of the packet, from its first message.
func (p *Packet) await() {
	if !p.timer.Scheduled() {
		p.loop.Wheel().Schedule(&p.timer, wheel.Deadline(p.loop.Now(), p.timeout))
	}
}

// Expire implements wheel.Expirer.
func (p *Packet) Expire(int64) { p.owner.Late() }

// count updates the loop's ledger.
func (p *Packet) count(n int) {
	p.loop.Memory().Move(p, p.held, n)
	p.held = n
}

// Held implements memory.Holder.
func (p *Packet) Held() int { return p.held }

// Evict implements memory.Holder.
func (p *Packet) Evict() { p.owner.Evict() }
