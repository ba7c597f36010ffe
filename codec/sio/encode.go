package sio

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/seed58c87869/siren/codec/quote"
)

var (
	errForeignPlaceholder = errors.New("a value looks like a placeholder, in a packet with attachments")
	errNoAttachments      = errors.New("packets of this type can't have attachments")
	errNotObject          = errors.New("payload is not an object")
)

// AppendEvent appends the text of an event to dst. id is the packet id that requests
// an acknowledgement; a negative id means none. nsp must be a valid namespace.
//
// Each []byte in args, at any depth, becomes an attachment. Attachments are numbered
// in the order of the text (struct fields as declared, map keys sorted); the same
// slice twice is one attachment. They alias the memory of args, which the caller must
// not change before they are sent. If there are attachments, the packet is a
// BinaryEvent and they must be sent after it.
//
// Errors wrap [ErrEncode]; out is then dst unchanged. It is also an error if another
// value in a packet with attachments looks like a placeholder, because no receiver
// could tell them apart. With room in dst, args of type string, bool, nil and of the
// predeclared integer and float types cost no allocation.
func AppendEvent(dst []byte, nsp string, id int64, event string, args []any) (out []byte, attachments [][]byte, err error) {
	begin := len(dst)
	out = appendHead(dst, Event, nsp)
	if id >= 0 {
		out = strconv.AppendInt(out, id, 10)
	}
	out, attachments, err = AppendEventPayload(out, event, args)
	return finish(out, begin, attachments, err)
}

// AppendEventPayload appends only the payload of an event: the array of its name and
// its arguments. Otherwise it is like [AppendEvent].
func AppendEventPayload(dst []byte, event string, args []any) (out []byte, attachments [][]byte, err error) {
	if Reserved(event) {
		return dst, nil, fmt.Errorf("%w: %w: %q", ErrEncode, ErrReserved, event)
	}
	payload := len(dst)
	return appendArgs(quote.Append(append(dst, '['), event), payload, args)
}

// AppendAck appends the text of the acknowledgement of the event with this id.
// Otherwise it is like [AppendEvent].
func AppendAck(dst []byte, nsp string, id uint64, args []any) (out []byte, attachments [][]byte, err error) {
	begin := len(dst)
	out = strconv.AppendUint(appendHead(dst, Ack, nsp), id, 10)
	out, attachments, err = AppendAckPayload(out, args)
	return finish(out, begin, attachments, err)
}

// AppendAckPayload appends only the payload of an acknowledgement: the array of its
// arguments. Otherwise it is like [AppendEvent].
func AppendAckPayload(dst []byte, args []any) (out []byte, attachments [][]byte, err error) {
	return appendArgs(append(dst, '['), len(dst), args)
}

// finish completes the packet whose text is out[begin:], which does not announce its
// attachments yet.
func finish(out []byte, begin int, attachments [][]byte, err error) ([]byte, [][]byte, error) {
	if err != nil {
		return out[:begin], nil, err
	}
	if len(attachments) > 0 {
		out = makeBinary(out, begin, len(attachments))
	}
	return out, attachments, nil
}

// AppendHead appends the part of a packet before its payload. An Event or Ack with
// attachments gets its binary type. A negative id means none; nsp must be a valid
// namespace.
func AppendHead(dst []byte, t Type, attachments int, nsp string, id int64) []byte {
	if attachments > 0 {
		t = binaryType(t)
		dst = append(dst, '0'+byte(t))
		dst = append(strconv.AppendInt(dst, int64(attachments), 10), '-')
		dst = appendNamespace(dst, nsp)
	} else {
		dst = appendHead(dst, t, nsp)
	}
	if id >= 0 {
		dst = strconv.AppendInt(dst, id, 10)
	}
	return dst
}

func appendHead(dst []byte, t Type, nsp string) []byte {
	return appendNamespace(append(dst, '0'+byte(t)), nsp)
}

func appendNamespace(dst []byte, nsp string) []byte {
	if nsp != "" && nsp != "/" {
		dst = append(dst, nsp...)
		dst = append(dst, ',')
	}
	return dst
}

// appendArgs appends the arguments and the end of the array that begins at
// out[payload]. After an error it truncates out there.
func appendArgs(out []byte, payload int, args []any) ([]byte, [][]byte, error) {
	empty := payload + len("[") // length of out as long as the array is empty
	for i, arg := range args {
		if len(out) > empty {
			out = append(out, ',')
		}
		next, ok := appendScalar(out, arg)
		if !ok {
			return appendMoreArgs(out, payload, args[i:])
		}
		out = next
	}
	return append(out, ']'), nil, nil
}

// appendMoreArgs continues appendArgs from the first value that may hold attachments
// or needs reflection. The comma before the value is already appended.
func appendMoreArgs(out []byte, payload int, args []any) (_ []byte, _ [][]byte, err error) {
	e := getEncoder()
	defer e.release()
	dst := out[:payload]
	for i, arg := range args {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = e.appendValue(out, arg, 0); err != nil {
			return dst, nil, fmt.Errorf("%w: %w", ErrEncode, err)
		}
	}
	out = append(out, ']')
	if len(e.attachments.list) == 0 {
		return out, nil, nil
	}
	if err := e.checkPlaceholders(out[payload:]); err != nil {
		return dst, nil, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	return out, e.attachments.list, nil
}

// checkPlaceholders checks that the payload has no placeholders besides those of the
// encoder. A receiver could not tell others apart, and would end the connection or use
// a wrong attachment.
func (e *encoder) checkPlaceholders(payload []byte) error {
	found := placeholders{limit: len(e.attachments.list)}
	// The depths that appendValue, and a Raw or the library inside it, may reach, and
	// the payload's own array, add up to no more than this.
	const depthMax = 2*MaxDepth + 2
	_, err := scanValue(payload, 0, depthMax, &found)
	if err != nil && err != errBadPlaceholder {
		return errTooDeep // it can't be anything else
	}
	if err != nil || found.total != e.attachments.placed {
		return errForeignPlaceholder
	}
	return nil
}

// makeBinary turns the Event or Ack at b[begin:] into its binary form.
func makeBinary(b []byte, begin, attachments int) []byte {
	var digits [20]byte
	count := append(strconv.AppendInt(digits[:0], int64(attachments), 10), '-')
	b[begin] += byte(BinaryEvent - Event)
	at, old := begin+1, len(b)
	b = append(b, count...)
	copy(b[at+len(count):], b[at:old])
	copy(b[at:], count)
	return b
}

// AppendConnect appends the text that joins a namespace or confirms the join. payload
// must encode to a JSON object without attachments; nil means no payload. Errors wrap
// [ErrEncode].
func AppendConnect(dst []byte, nsp string, payload any) ([]byte, error) {
	out := appendHead(dst, Connect, nsp)
	if payload == nil {
		return out, nil
	}
	begin := len(out)
	out, err := AppendPlain(out, payload)
	if err == nil && out[skipSpace(out, begin)] != '{' {
		err = fmt.Errorf("%w: %w", ErrEncode, errNotObject)
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

// AppendDisconnect appends the text that leaves a namespace.
func AppendDisconnect(dst []byte, nsp string) []byte {
	return appendHead(dst, Disconnect, nsp)
}

// AppendConnectErrorPayload appends the payload of a packet that refuses a Connect:
// {"message":"..."}, with a member "data" if hasData is set. data must have no
// attachments. Errors wrap [ErrEncode].
func AppendConnectErrorPayload(dst []byte, message string, data any, hasData bool) ([]byte, error) {
	out := append(dst, `{"message":`...)
	out = quote.Append(out, message)
	if hasData {
		var err error
		if out, err = AppendPlain(append(out, `,"data":`...), data); err != nil {
			return dst, err
		}
	}
	return append(out, '}'), nil
}

// AppendPlain appends one value as JSON. The value must have no attachments. Errors
// wrap [ErrEncode].
func AppendPlain(dst []byte, v any) ([]byte, error) {
	if out, ok := appendScalar(dst, v); ok {
		return out, nil
	}
	e := getEncoder()
	defer e.release()
	out, err := e.appendValue(dst, v, 0)
	if err == nil && len(e.attachments.list) > 0 {
		err = errNoAttachments
	}
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	return out, nil
}
