package packets

import (
	"encoding/json"
	"fmt"

	"github.com/seed58c87869/siren/codec/sio"
)

// Library is a JSON library of the application, for the server's Config. Safe for concurrent use.
type Library interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// marshalArgs lets the library encode its arguments, which become a sio.Raw each. The others are those that every
// library encodes in the same way, and those that are or may be attachments.
func marshalArgs(lib Library, args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, arg := range args {
		switch arg.(type) {
		case nil, string, bool, int, int64, int32, int16, int8, uint, uint64, uint32, uint16, uint8,
			[]byte, sio.Raw, *sio.Raw, json.RawMessage:
			out[i] = arg
			continue
		}
		if sio.PlainError(arg) {
			out[i] = arg
			continue
		}
		b, err := lib.Marshal(arg)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEncode, err)
		}
		out[i] = sio.Raw{JSON: b}
	}
	return out, nil
}

// DecodeWith decodes an argument; lib is nil for the built-in library.
func DecodeWith(lib Library, arg []byte, attachments [][]byte, dst any) error {
	if lib == nil || binaryArg(arg, attachments, dst) {
		return DecodeArg(arg, attachments, dst)
	}
	if err := lib.Unmarshal(arg, dst); err != nil {
		return fmt.Errorf("%w: %w", ErrDecode, err)
	}
	return nil
}

// binaryArg reports whether the library must not encode an argument: a whole attachment, or a sio.Raw.
func binaryArg(arg []byte, attachments [][]byte, dst any) bool {
	switch dst.(type) {
	case *sio.Raw:
		return true
	case *[]byte, *any:
		if len(attachments) == 0 || len(arg) == 0 || arg[0] != '{' {
			return false
		}
		var b []byte
		return sio.Unmarshal(arg, attachments, &b) == nil
	}
	return false
}
