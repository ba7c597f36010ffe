package packets

import "errors"

// The errors of encoding and decoding. Package server has them under the same names.
var (
	ErrEncode             = errors.New("siren: cannot encode")
	ErrDecode             = errors.New("siren: cannot decode")
	ErrTooManyAttachments = errors.New("siren: too many attachments")
	ErrReserved           = errors.New("siren: reserved event name")
	ErrPanic              = errors.New("siren: handler panicked")
)
