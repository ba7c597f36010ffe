package packets

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/server/parser"
)

var (
	ErrNoMessage  = errors.New("the parser made no message")
	ErrNotForText = errors.New("the parser made a text that is not UTF-8, or has U+001E in it")
)

// translate returns the frames of a packet that the application's parser encodes.
func (e *Encoding) translate(p *parser.Packet) (_ *eio.Frame, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %w: %v", ErrEncode, ErrPanic, r)
		}
	}()
	var head, last *eio.Frame
	var bad error
	err = e.parser.Encode(p, func(message []byte, binary bool) {
		var f *eio.Frame
		switch {
		case binary:
			f = eio.NewBinary(message)
		case utf8.Valid(message) && bytes.IndexByte(message, eio.Separator) < 0:
			f = eio.NewMessage(message)
		default:
			bad = ErrNotForText
			return
		}
		if head == nil {
			head = f
		} else {
			eio.Link(last, f)
		}
		last = f
	})
	switch {
	case err != nil:
	case bad != nil:
		err = bad
	case head == nil:
		err = ErrNoMessage
	default:
		return head, nil
	}
	return nil, fmt.Errorf("%w: %w", ErrEncode, err)
}
