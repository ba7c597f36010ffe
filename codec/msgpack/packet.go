package msgpack

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Type is the type of a packet. Immutable.
type Type uint8

// The packet types. Binary data needs none of its own.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	ConnectError
	typeCount
)

// Packet is one packet.
type Packet struct {
	Type Type
	// Namespace is its name with the leading slash.
	Namespace string
	// ID, when HasID, is at most 2^53-1.
	ID    uint64
	HasID bool
	// Data is the payload as JSON, empty without one. A placeholder in it is
	// spelled exactly {"_placeholder":true,"num":N} and stands for
	// Attachments[N]; without Attachments there are none.
	Data        []byte
	Attachments [][]byte
}

// Defaults of [Limits], which are those of package sio.
const (
	DefaultAttachments     = 256
	DefaultAttachmentBytes = 10_000_000
	DefaultDepth           = 512
)

// Limits bounds what one packet may cost. A zero field means its default, a nil
// *Limits means all defaults. Immutable once in use, safe to share.
type Limits struct {
	// Attachments is the highest number of binary values.
	Attachments int
	// AttachmentBytes is the highest sum of their sizes.
	AttachmentBytes int
	// Depth is the highest number of arrays and maps inside of each other, the
	// payload itself included.
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

// maxID is the highest integer that every JavaScript peer can send back
// unchanged.
const maxID = 1<<53 - 1

// Parse reads the packet that b is, to its last byte. The packet shares no
// memory with b. Members it does not know, and all but the last of several
// equal ones, are checked and dropped. Memory is in proportion to what is there,
// whatever lengths b announces; the JSON may be six times as long as b, and has
// some 30 bytes more for each binary value. An error wraps [ErrPacket]; p is of
// no use then.
func Parse(b []byte, lim *Limits, p *Packet) error {
	// JSON is about as long, unless most of it is binary data.
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

// header is what a packet has besides its payload, and what kind of value that
// is.
type header struct {
	kind          Type
	namespace     string
	id            uint64
	hasID         bool
	data          valueKind // kindNone without one
	typed, spaced bool      // type and nsp are there
}

// packet reads the map. The payload's JSON is in r.out then.
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

// check holds a packet to what the reference's decoder checks.
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

// integer reads a number that is an integer up to 2^53-1.
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

// Append appends the message of a packet: its members in the order in which the
// reference server has them. p.Data must be JSON. An error wraps [ErrEncode];
// the result is dst then.
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
