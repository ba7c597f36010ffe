package server

import (
	"errors"
	"fmt"

	"github.com/valyala/bytebufferpool"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// packetPool holds the buffers in which packets are encoded before they are copied to their exact size.
var packetPool bytebufferpool.Pool

// noAck as a packet id asks for no acknowledgement.
const noAck = -1

// encodeEvent makes the frame of an event, with its attachments.
func encodeEvent(prefix string, id int64, event string, args []any) (*eio.Frame, error) {
	return encode(func(dst []byte) ([]byte, [][]byte, error) {
		return sio.AppendEvent(dst, prefix, id, event, args)
	})
}

// encode runs an encoder over a pooled buffer and copies the result into a frame of its exact size.
func encode(appendPacket func(dst []byte) ([]byte, [][]byte, error)) (*eio.Frame, error) {
	buf := packetPool.Get()
	defer packetPool.Put(buf)
	buf.B = append(buf.B[:0], byte(eio.Message))
	out, attachments, err := appendPacket(buf.B)
	if err != nil {
		return nil, encodeError(err)
	}
	buf.B = out
	return link(eio.NewText(out), attachments), nil
}

func encodeError(err error) error {
	if errors.Is(err, sio.ErrReserved) {
		return fmt.Errorf("%w: %w", ErrReserved, err)
	}
	return fmt.Errorf("%w: %w", ErrEncode, err)
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
