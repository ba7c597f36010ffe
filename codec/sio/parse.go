package sio

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// rootNamespace is the value of Packet.Namespace if the text names none.
var rootNamespace = []byte("/")

// Parse parses one packet from b, which must be the whole text of one Engine.IO
// message without its type. lim may be nil. All slices in p are views of b, except an
// event name with escapes, which is decoded into its own memory. Packets without such
// a name cost no allocation.
//
// Payloads are checked completely but not changed: numbers of any length, lone
// surrogates, and duplicate and special keys are kept. An event or acknowledgement may
// have no payload, as in the reference parser: Data and Event are then nil, and there
// are no arguments. Errors wrap [ErrPacket]; the content of p is then undefined.
func Parse(b []byte, lim *Limits, p *Packet) error {
	*p = Packet{Namespace: rootNamespace}
	if len(b) == 0 {
		return errEmpty
	}
	p.Type = Type(b[0] - '0')
	if p.Type >= typeCount {
		return errType
	}
	i, err := p.parseHeader(b, 1, lim)
	if err != nil {
		return err
	}
	if i == len(b) && p.Type.mayLackPayload() {
		return nil
	}
	return p.parseRest(b, i, lim)
}

// parseRest parses the part after the header: the payload, or nothing.
func (p *Packet) parseRest(b []byte, i int, lim *Limits) error {
	// A blank before the payload is part of the JSON text.
	if i = skipSpace(b, i); i == len(b) {
		if p.Type == Connect || p.Type == Disconnect {
			return nil
		}
		return errNoPayload
	}
	end, err := p.parsePayload(b, i, lim)
	if err != nil {
		return err
	}
	p.Data = b[i:end]
	if skipSpace(b, end) != len(b) {
		return errJSON
	}
	return nil
}

// ParsePayload parses the payload of a packet from another encoding of packets. The
// caller has set the header fields of p: Type (Event or Ack, even with attachments),
// HasID, ID, Attachments and Namespace. ParsePayload sets the other fields as [Parse]
// does; they are views of payload, which may be empty. lim may be nil. Errors wrap
// [ErrPacket]; the content of p is then undefined.
func ParsePayload(p *Packet, payload []byte, lim *Limits) error {
	*p = Packet{Type: p.Type, HasID: p.HasID, ID: p.ID, Attachments: p.Attachments, Namespace: p.Namespace}
	if p.Type >= typeCount {
		return errType
	}
	p.splitQuery()
	switch {
	case p.Attachments > lim.attachments():
		return errMany
	case len(p.Namespace)+len(p.Query) > lim.namespace():
		return errNamespace
	case p.HasID && p.ID > maxID:
		return errID
	}
	if p.Attachments > 0 {
		if p.Type = binaryType(p.Type); !p.Type.Binary() {
			return errAttachments
		}
	}
	return p.parseRest(payload, 0, lim)
}

// parseHeader parses the part between the type and the payload, and returns the index
// of the payload.
func (p *Packet) parseHeader(b []byte, i int, lim *Limits) (int, error) {
	if p.Type.Binary() {
		n, end := parseDigits(b, i, uint64(lim.attachments()))
		if end == i || end == len(b) || b[end] != '-' {
			return 0, errAttachments
		}
		if n > uint64(lim.attachments()) {
			return 0, errMany
		}
		p.Attachments, i = int(n), end+1
	}
	if i < len(b) && b[i] == '/' {
		// The comma may be omitted if nothing follows: "1/admin".
		end := len(b)
		if comma := bytes.IndexByte(b[i:], ','); comma >= 0 {
			end = i + comma
		}
		if end-i > lim.namespace() {
			return 0, errNamespace
		}
		p.Namespace = b[i:end]
		p.splitQuery()
		i = min(end+1, len(b))
	}
	id, end := parseDigits(b, i, maxID)
	if id > maxID {
		return 0, errID
	}
	p.ID, p.HasID = id, end > i
	return end, nil
}

// splitQuery splits the query string off the namespace.
func (p *Packet) splitQuery() {
	if q := bytes.IndexByte(p.Namespace, '?'); q >= 0 {
		p.Namespace, p.Query = p.Namespace[:q], p.Namespace[q+1:]
	}
}

// parseDigits parses decimal digits from b[i:]. Once n exceeds limit, which must be well
// below 2^63, it only skips digits.
func parseDigits(b []byte, i int, limit uint64) (n uint64, end int) {
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		if n <= limit {
			n = n*10 + uint64(b[i]-'0')
		}
	}
	return n, i
}

// parsePayload checks the payload that begins at b[i] according to the type and returns
// its end.
func (p *Packet) parsePayload(b []byte, i int, lim *Limits) (end int, err error) {
	c := b[i]
	switch p.Type {
	case Connect:
		if c == '{' {
			return scanValue(b, i, lim.depth(), nil)
		}
	case ConnectError:
		if c == '{' || c == '"' {
			return scanValue(b, i, lim.depth(), nil)
		}
	case Event, Ack:
		if c == '[' {
			return p.parseArray(b, i, lim, nil)
		}
	case BinaryEvent, BinaryAck:
		if c == '[' {
			found := placeholders{limit: p.Attachments}
			return p.parseArray(b, i, lim, &found)
		}
	}
	return 0, errPayload
}

// parseArray parses the payload of events and acknowledgements. found is nil where
// placeholders have no meaning.
func (p *Packet) parseArray(b []byte, i int, lim *Limits, found *placeholders) (end int, err error) {
	named := p.Type == Event || p.Type == BinaryEvent
	depth, argsMax := lim.depth()-1, lim.args()
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		if named {
			return 0, errEventName
		}
		p.Args = b[i:i]
		return i + 1, nil
	}
	first, last := -1, 0
	for {
		start := i
		if i, err = scanValue(b, i, depth, found); err != nil {
			return 0, err
		}
		switch {
		case named:
			named = false
			if err := p.setEvent(b[start:i]); err != nil {
				return 0, err
			}
		case p.NArgs == argsMax:
			return 0, errArgs
		default:
			if first < 0 {
				first = start
			}
			last = i
			p.NArgs++
		}
		if i = skipSpace(b, i); i == len(b) {
			return 0, errJSON
		}
		if b[i] == ']' {
			break
		}
		if b[i] != ',' {
			return 0, errJSON
		}
		i = skipSpace(b, i+1)
	}
	if first < 0 {
		first, last = i, i
	}
	p.Args = b[first:last]
	return i + 1, nil
}

// setEvent takes the first element of an event's payload as its name.
func (p *Packet) setEvent(name []byte) error {
	switch c := name[0]; {
	case c == '"':
		inner := name[1 : len(name)-1]
		if bytes.IndexByte(inner, '\\') >= 0 {
			inner = appendUnquoted(make([]byte, 0, len(inner)), name)
		}
		p.Event = inner
		if reserved(inner) {
			return errEventReserved
		}
		return nil
	case c == '-' || c-'0' <= 9:
		p.Event = numberName(name)
		return nil
	}
	return errEventName
}

// exactDigits is how many decimal digits a float64 always keeps.
const exactDigits = 15

// numberName returns the text that JavaScript makes of a number used as a name.
func numberName(number []byte) []byte {
	if len(number) <= exactDigits && number[0] != '-' {
		if _, end := parseDigits(number, 0, maxID); end == len(number) {
			return number
		}
	}
	v := jsontext.Value(bytes.Clone(number))
	if v.Canonicalize() != nil {
		return number // cannot happen, the scanner has checked it
	}
	return v
}
