package packets

import (
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/codec/sio"
)

// The errors of encoding and decoding. Package server has them under the same names.
var (
	ErrEncode             = errors.New("siren: cannot encode")
	ErrDecode             = errors.New("siren: cannot decode")
	ErrTooManyAttachments = errors.New("siren: too many attachments")
	ErrReserved           = errors.New("siren: reserved event name")
	ErrPanic              = errors.New("siren: handler panicked")
)

// CheckEvent returns an error that wraps ErrReserved if Socket.IO reserves the name of an event.
func CheckEvent(event string) error {
	if sio.Reserved(event) {
		return Reserved(event)
	}
	return nil
}

// Reserved returns the error for an event with a reserved name.
func Reserved(event string) error { return fmt.Errorf("%w: %q", ErrReserved, event) }
