package server

import (
	"errors"
	"sync"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/poller/wheel"
)

var (
	errTextBetween     = errors.New("server: text between attachments")
	errAttachmentsLate = errors.New("server: attachments did not come in time")
	errPartialLimit    = errors.New("server: packet of too many messages, or of too many bytes")
	errPacketType      = errors.New("server: the parser gave a packet of no known type")
)

// partial is what a connection keeps of a packet that is not whole. With the default parser it is there only while
// there is one: nearly all packets have no attachments. With another it holds the connection's decoder. Loop-owned.
type partial struct {
	timer wheel.Timer // runs while a packet is not whole
	c     *client
	asm   sio.Assembler
	// The others are for parsers of the application's.
	decoder         Decoder // nil with the default parser
	messages, bytes int     // of the packet that is not whole

	held int // what it has in the loop's ledger
}

// partials keeps the idle ones of connections with the default parser: the attachments of a packet usually come with
// the same read as the packet.
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

// await starts the time for the rest of a packet, which begins with its first message.
func (p *partial) await() {
	if !p.timer.Scheduled() {
		loop := p.c.loop()
		loop.Wheel().Schedule(&p.timer, wheel.Deadline(loop.Now(), p.c.srv.cfg.AttachmentTimeout))
	}
}

func (p *partial) stop() { p.c.loop().Wheel().Cancel(&p.timer) }

// begin keeps a packet until its attachments are there.
func (c *client) begin(text []byte, packet *sio.Packet) {
	p := partials.Get().(*partial)
	p.c, c.partial = c, p
	p.asm.Begin(text, packet)
	p.count(p.held + len(text))
	p.await()
}

// count enters in the loop's ledger what is kept now.
func (p *partial) count(n int) {
	p.c.loop().Memory().Move(p, p.held, n)
	p.held = n
}

// Held implements memory.Holder.
func (p *partial) Held() int { return p.held }

// Evict implements memory.Holder.
func (p *partial) Evict() { p.c.sess.Evict() }

// drop gives up what is kept.
func (c *client) drop() {
	p := c.partial
	if p == nil {
		return
	}
	c.partial = nil
	p.stop()
	p.count(0)
	if p.decoder != nil {
		p.decoder.Reset()
		return
	}
	p.asm.Reset()
	p.c = nil
	partials.Put(p)
}

// attachment takes one, with the default parser.
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

// decode takes a message with a parser of the application's.
func (c *client) decode(data []byte, binary bool) {
	p := c.partial
	if p == nil {
		p = &partial{c: c, decoder: c.srv.enc.parser.NewDecoder(c.srv.limits)}
		p.timer.Init(p)
		c.partial = p
	}
	p.messages++
	p.bytes += len(data)
	if lim := &c.srv.limits; p.messages > lim.Attachments+1 || p.bytes-c.srv.cfg.MaxPayload > lim.AttachmentBytes {
		c.invalid(errPartialLimit)
		return
	}
	var packet Packet
	done, err := p.decoder.Decode(data, binary, &packet)
	switch {
	case err != nil:
		c.invalid(err)
	case done:
		p.messages, p.bytes = 0, 0
		p.stop()
		p.count(0)
		c.decoded(&packet)
	default:
		p.count(p.bytes)
		p.await()
	}
}

// decoded takes a packet of such a parser, which is no more trusted than a client.
func (c *client) decoded(in *Packet) {
	p := sio.Packet{
		Type: in.Type, HasID: in.HasID, ID: in.ID, Namespace: []byte(in.Namespace), Attachments: len(in.Attachments),
	}
	if p.Type > sio.ConnectError {
		c.invalid(errPacketType)
		return
	}
	bytes := 0
	for _, a := range in.Attachments {
		bytes += len(a)
	}
	if bytes > c.srv.limits.AttachmentBytes {
		c.invalid(sio.ErrAttachments)
		return
	}
	if err := sio.ParsePayload(&p, in.Data, &c.srv.limits); err != nil {
		c.invalid(err)
		return
	}
	if p.Type == sio.Connect && !sio.ValidNamespace(string(p.Namespace)) {
		c.send(c.srv.enc.connectError(string(p.Namespace), invalidNamespace))
		return
	}
	c.packet(&p, in.Attachments, true)
}
