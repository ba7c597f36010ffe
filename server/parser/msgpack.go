package parser

import (
	"errors"

	"github.com/valyala/bytebufferpool"

	"github.com/seed58c87869/siren/codec/msgpack"
)

// Msgpack returns the Parser for clients with the npm package socket.io-msgpack-parser. Each packet is one binary
// message of MessagePack that contains its binary values; it is smaller than JSON if there are many numbers or buffers.
// Values mean the same as with the default parser; see package codec/msgpack for those that JSON does not have. A
// client whose packet has both binary data and an object that looks like a placeholder is disconnected.
func Msgpack() Parser { return msgpackParser{} }

// msgpackParser implements Parser. It holds nothing, nor do its decoders. Safe for concurrent use.
type msgpackParser struct{}

// msgpackPool holds the buffers in which messages are made.
var msgpackPool bytebufferpool.Pool

// Encode implements Parser.
func (msgpackParser) Encode(p *Packet, send func(message []byte, binary bool)) error {
	buf := msgpackPool.Get()
	defer msgpackPool.Put(buf)
	out, err := msgpack.Append(buf.B[:0], &msgpack.Packet{
		Type: msgpack.Type(p.Type), Namespace: p.Namespace, ID: p.ID, HasID: p.HasID, Data: p.Data, Attachments: p.Attachments,
	})
	if err != nil {
		return err
	}
	buf.B = out
	send(out, true)
	return nil
}

// NewDecoder implements Parser.
func (msgpackParser) NewDecoder(lim Limits) Decoder {
	return &msgpackDecoder{msgpack.Limits{Attachments: lim.Attachments, AttachmentBytes: lim.AttachmentBytes, Depth: lim.Depth}}
}

type msgpackDecoder struct{ limits msgpack.Limits }

var errMsgpackText = errors.New("siren: text, where all messages are MessagePack")

// Decode implements Decoder.
func (d *msgpackDecoder) Decode(message []byte, binary bool, p *Packet) (done bool, err error) {
	if !binary {
		return false, errMsgpackText
	}
	var m msgpack.Packet
	if err := msgpack.Parse(message, &d.limits, &m); err != nil {
		return false, err
	}
	*p = Packet{
		Type: Type(m.Type), Namespace: m.Namespace, ID: m.ID, HasID: m.HasID, Data: m.Data, Attachments: m.Attachments,
	}
	return true, nil
}

// Reset implements Decoder.
func (*msgpackDecoder) Reset() {}
