package server

import (
	"errors"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/partial"
)

var (
	errTextBetween     = errors.New("server: text between attachments")
	errAttachmentsLate = errors.New("server: attachments did not come in time")
)

// Late implements partial.Owner.
func (c *client) Late() {
	defer c.sess.EndOnPanic()
	c.invalid(errAttachmentsLate)
}

// Evict implements partial.Owner.
func (c *client) Evict() { c.sess.Evict() }

// drop forgets the incomplete packet.
func (c *client) drop() {
	if p := c.partial; p != nil {
		c.partial = nil
		p.Drop()
	}
}

// attachment handles an attachment, with the default parser.
func (c *client) attachment(data []byte) {
	if c.partial == nil {
		c.invalid(sio.ErrAttachments)
		return
	}
	packet, attachments, done, err := c.partial.Add(data, &c.srv.limits)
	switch {
	case err != nil:
		c.invalid(err)
	case done:
		c.drop()
		c.packet(&packet, attachments, true)
	}
}

// decode handles a message with a parser of the application.
func (c *client) decode(data []byte, binary bool) {
	if c.partial == nil {
		stream := c.srv.enc.NewStream(&c.srv.limits, c.srv.cfg.MaxPayload)
		c.partial = partial.New(c, c.loop(), c.srv.cfg.AttachmentTimeout, stream)
	}
	packet, attachments, done, err := c.partial.Decode(data, binary)
	switch {
	case err != nil:
		c.invalid(err)
	case !done:
	case packet.Type == sio.Connect && !sio.ValidNamespace(string(packet.Namespace)):
		c.send(c.srv.enc.ConnectError(string(packet.Namespace), invalidNamespace))
	default:
		c.packet(&packet, attachments, true)
	}
}
