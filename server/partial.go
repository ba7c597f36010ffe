package server

import (
	"errors"
	"sync"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/packets"
)

var (
	errTextBetween     = errors.New("server: text between attachments")
	errAttachmentsLate = errors.New("server: attachments did not come in time")
)

// partial is the incomplete packet of a connection. With the default parser it exists only while there is one, because
// nearly all packets have no attachments. With another parser it has the connection's decoder. Loop-owned.
type partial struct {
	timer wheel.Timer // runs while a packet is not whole
	c     *client
	asm   sio.Assembler
	// stream is for parsers of the application; nil with the default one.
	stream *packets.Stream

	held int // what it has in the loop's ledger
}

// partials has unused values for reuse with the default parser, where the attachments of a packet usually arrive in the
// same read.
var partials = sync.Pool{New: func() any {
	p := new(partial)
	p.timer.Init(p)
	return p
}}

// Expire implements wheel.Expirer.
func (p *partial) Expire(int64) {
	defer p.c.sess.EndOnPanic()
	p.c.invalid(errAttachmentsLate)
}

// await starts the time-out for the rest of a packet, from its first message.
func (p *partial) await() {
	if !p.timer.Scheduled() {
		loop := p.c.loop()
		loop.Wheel().Schedule(&p.timer, wheel.Deadline(loop.Now(), p.c.srv.cfg.AttachmentTimeout))
	}
}

func (p *partial) stop() { p.c.loop().Wheel().Cancel(&p.timer) }

// begin keeps a packet until its attachments have arrived.
func (c *client) begin(text []byte, packet *sio.Packet) {
	p := partials.Get().(*partial)
	p.c, c.partial = c, p
	p.asm.Begin(text, packet)
	p.count(p.held + len(text))
	p.await()
}

// count updates the loop's ledger.
func (p *partial) count(n int) {
	p.c.loop().Memory().Move(p, p.held, n)
	p.held = n
}

// Held implements memory.Holder.
func (p *partial) Held() int { return p.held }

// Evict implements memory.Holder.
func (p *partial) Evict() { p.c.sess.Evict() }

// drop forgets the incomplete packet.
func (c *client) drop() {
	p := c.partial
	if p == nil {
		return
	}
	c.partial = nil
	p.stop()
	p.count(0)
	if p.stream != nil {
		p.stream.Reset()
		return
	}
	p.asm.Reset()
	p.c = nil
	partials.Put(p)
}

// attachment handles an attachment, with the default parser.
func (c *client) attachment(data []byte) {
	p := c.partial
	if p == nil {
		c.invalid(sio.ErrAttachments)
		return
	}
	done, err := p.asm.Add(data, &c.srv.limits)
	if err != nil {
		c.invalid(err)
		return
	}
	if !done {
		p.count(p.held + len(data))
	} else {
		packet, attachments := p.asm.Take()
		c.drop()
		c.packet(&packet, attachments, true)
	}
}

// decode handles a message with a parser of the application.
func (c *client) decode(data []byte, binary bool) {
	p := c.partial
	if p == nil {
		p = &partial{c: c, stream: c.srv.enc.NewStream(&c.srv.limits, c.srv.cfg.MaxPayload)}
		p.timer.Init(p)
		c.partial = p
	}
	packet, attachments, done, err := p.stream.Add(data, binary)
	switch {
	case err != nil:
		c.invalid(err)
	case !done:
		p.count(p.stream.Held())
		p.await()
	default:
		p.stop()
		p.count(0)
		if packet.Type == sio.Connect && !sio.ValidNamespace(string(packet.Namespace)) {
			c.send(c.srv.enc.ConnectError(string(packet.Namespace), invalidNamespace))
			return
		}
		c.packet(&packet, attachments, true)
	}
}
