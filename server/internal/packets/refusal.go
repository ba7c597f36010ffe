package packets

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// Refuse returns a CONNECT_ERROR without data. old means that the client uses protocol 3.
func (e *Encoding) Refuse(ns, message string, old bool) *eio.Frame {
	if !old {
		return e.ConnectError(ns, message)
	}
	// A string can always be encoded.
	data, _ := sio.AppendPlain(nil, message)
	return e.Plain(sio.ConnectError, ns, data)
}

// RefuseWith is Refuse with data of the application, if hasData is set.
func (e *Encoding) RefuseWith(ns, message string, data any, hasData, old bool) (*eio.Frame, error) {
	value, err := e.value(data)
	if err != nil {
		return nil, err
	}
	appendTo := sio.AppendConnectErrorPayload
	if old {
		appendTo = appendOldRefusal
	}
	text, err := appendTo(nil, message, value, hasData)
	if err != nil {
		return nil, encodeError(err)
	}
	return e.Plain(sio.ConnectError, ns, text), nil
}

// appendOldRefusal appends the payload of CONNECT_ERROR for a client of protocol 3, which gets only the data or, if
// that is false in JavaScript, the message.
func appendOldRefusal(dst []byte, message string, value any, hasData bool) ([]byte, error) {
	if hasData {
		out, err := sio.AppendPlain(dst, value)
		if err != nil {
			return dst, err
		}
		switch string(out[len(dst):]) {
		case "null", "false", "0", `""`:
		default:
			return out, nil
		}
	}
	return sio.AppendPlain(dst, message)
}
