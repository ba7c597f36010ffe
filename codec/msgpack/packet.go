package msgpack

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Type is the type of a packet. Immutable.
type Type uint8

// The packet types. Packets with binary data have no types of their own.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	ConnectError
	typeCount
)

// Packet is a decoded packet. Only one goroutine may use it at a time.
type Packet struct {
	Type Type
	// Namespace is the name including the leading slash.
	Namespace string
	// ID is the packet id if HasID is true, at most 2^53-1.
	ID    uint64
	HasID bool
	// Data is the payload as JSON; empty means none. A placeholder in it has the exact
	// form {"_placeholder":true,"num":N} and stands for Attachments[N]. Without
	// Attachments there are no placeholders.
	Data        []byte
	Attachments [][]byte
}

// Defaults of [Limits]. They equal those of package sio.
const (
	DefaultAttachments     = 256
	DefaultAttachmentBytes = 10_000_000
	DefaultDepth           = 512
)

// Limits bounds the cost of one packet. A zero field means its default, and a nil *Limits
// means all defaults. Immutable once in use, and safe to share.
type Limits struct {
	// Attachments is the highest number of binary values.
	Attachments int
	// AttachmentBytes is the highest sum of their sizes.
	AttachmentBytes int
	// Depth is the deepest nesting of arrays and maps, including the payload itself.
	Depth int
}

func (l *Limits) settle() Limits {
	out := Limits{DefaultAttachments, DefaultAttachmentBytes, DefaultDepth}
	if l == nil {
		return out
	}
	if l.Attachments > 0 {
		out.Attachments = l.Attachments
	}
	if l.AttachmentBytes > 0 {
		out.AttachmentBytes = l.AttachmentBytes
	}
	if l.Depth > 0 {
		out.Depth = l.Depth
	}
	return out
}

// maxID is the highest integer that every JavaScript peer can send back unchanged.
const maxID = 1<<53 - 1

// Parse parses the packet that fills b. The packet shares no memory with b. Unknown
// members, and all but the last of several equal members, are checked and dropped. The
// memory used is proportional to the bytes present, whatever lengths b announces; the JSON
// may be six times as long as b, plus some 30 bytes for each binary value. Errors wrap
// [ErrPacket]; the content of p is then undefined.
func Parse(b []byte, lim *Limits, p *Packet) error {
	// The JSON is about as long as b, unless b is mostly binary data.
	const sizeAhead = 4096
	r := reader{b: b, lim: lim.settle(), out: make([]byte, 0, min(len(b), sizeAhead))}
	h, err := r.packet()
	if err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return err
	}
	if r.lookalike && len(r.attachments) > 0 {
		return errPlaceholder
	}
	if h.data == kindNone {
		r.out = nil
	}
	*p = Packet{Type: h.kind, Namespace: h.namespace, ID: h.id, HasID: h.hasID, Data: r.out, Attachments: r.attachments}
	return nil
}

// header is the part of a packet besides its payload, with the kind of the payload.
type header struct {
	kind          Type
	namespace     string
	id            uint64
	hasID         bool
	data          valueKind // kindNone without one
	typed, spaced bool      // type and nsp are there
}

// packet reads the map. It writes the payload's JSON to r.out.
func (r *reader) packet() (h header, err error) {
	n, kind, err := r.head()
	if err != nil {
		return h, err
	}
	if kind != kindMap {
		return h, errNotMap
	}
	for ; n > 0; n-- {
		if err := r.member(&h); err != nil {
			return h, err
		}
	}
	if r.at != len(r.b) {
		return h, errTrailing
	}
	return h, nil
}

// member reads one member of the map.
func (r *reader) member(h *header) error {
	start := len(r.out)
	if err := r.name(); err != nil {
		return err
	}
	name := string(r.out[start:])
	r.out = r.out[:start]
	switch name {
	case `"type"`:
		n, err := r.integer(errType)
		if err == nil && n >= uint64(typeCount) {
			err = errType
		}
		h.kind, h.typed = Type(n), true
		return err
	case `"nsp"`:
		n, kind, err := r.head()
		if err == nil && kind != kindText {
			err = errNamespace
		}
		if err == nil {
			h.namespace, h.spaced = validText(r.take(n)), true
		}
		return err
	case `"id"`:
		if h.hasID = !r.undefined(); !h.hasID {
			return nil
		}
		n, err := r.integer(errID)
		h.id = n
		return err
	case `"data"`:
		// The last one counts.
		r.out, r.attachments, r.bytes, r.lookalike = r.out[:0], nil, 0, false
		if h.data = kindNone; r.undefined() {
			return nil
		}
		h.data = r.peek()
		return r.value(r.lim.Depth)
	}
	attachments, bytes, lookalike := r.attachments, r.bytes, r.lookalike
	err := r.value(r.lim.Depth)
	r.out, r.attachments, r.bytes, r.lookalike = r.out[:start], attachments, bytes, lookalike
	return err
}

// check applies the checks of the reference decoder.
func (h *header) check() error {
	switch {
	case !h.typed:
		return errType
	case !h.spaced:
		return errNamespace
	}
	ok := false
	switch h.kind {
	case Connect:
		ok = h.data == kindNone || h.data == kindMap
	case Disconnect:
		ok = h.data == kindNone
	case ConnectError:
		ok = h.data == kindText || h.data == kindMap
	default:
		ok = h.data == kindArray
	}
	if !ok {
		return errData
	}
	return nil
}

// integer reads an integer of at most 2^53-1; the error for any other value is otherwise.
func (r *reader) integer(otherwise error) (uint64, error) {
	v, kind, err := r.number()
	switch {
	case err == errData:
		return 0, otherwise
	case err != nil:
		return 0, err
	case kind != numberFloat && v <= maxID: // negative ones are far above
		return v, nil
	case kind == numberFloat:
		f := math.Float64frombits(v)
		if f >= 0 && f <= maxID && f == math.Trunc(f) {
			return uint64(f), nil
		}
	}
	return 0, otherwise
}

// Append appends the encoded packet to dst. The members are in the order of the reference
// server. p.Data must be JSON. Errors wrap [ErrEncode]; the result is then dst unchanged.
func Append(dst []byte, p *Packet) ([]byte, error) {
	if p.Type >= typeCount || (len(p.Data) == 0) != (p.Type == Disconnect) && p.Type != Connect {
		return dst, fmt.Errorf("%w: %w", ErrEncode, errPayloadOfType)
	}
	members := byte(2)
	if len(p.Data) > 0 {
		members++
	}
	if p.HasID {
		members++
	}
	out := append(dst, fixMap|members)
	if p.HasID && p.Type == Ack {
		out = appendUint(appendText(out, "id"), p.ID)
	}
	out = append(appendText(out, "type"), byte(p.Type))
	if len(p.Data) > 0 {
		var err error
		if out, err = AppendValue(appendText(out, "data"), p.Data, p.Attachments); err != nil {
			return dst, err
		}
	}
	if p.HasID && p.Type != Ack {
		out = appendUint(appendText(out, "id"), p.ID)
	}
	out = appendText(out, "nsp")
	if !utf8.ValidString(p.Namespace) {
		return appendText(out, validText([]byte(p.Namespace))), nil
	}
	return appendText(out, p.Namespace), nil
}
