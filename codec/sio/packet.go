package sio

// Type is the first character of a packet. Immutable.
type Type byte

// The packet types, "Packet encoding" in the protocol text.
const (
	Connect      Type = iota // joins a namespace, or says that it is joined
	Disconnect               // leaves a namespace
	Event                    // carries an event name and arguments
	Ack                      // answers an event that had an id
	ConnectError             // refuses a Connect
	BinaryEvent              // Event with attachments
	BinaryAck                // Ack with attachments
	typeCount
)

var typeNames = [typeCount]string{
	"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK",
}

// String returns the name that the protocol text uses, such as "BINARY_EVENT".
func (t Type) String() string {
	if t < typeCount {
		return typeNames[t]
	}
	return "UNKNOWN"
}

// Binary reports whether packets of this type announce attachments.
func (t Type) Binary() bool { return t == BinaryEvent || t == BinaryAck }

// mayLackPayload reports whether packets of this type may end behind their
// header.
func (t Type) mayLackPayload() bool {
	switch t {
	case Event, Ack, BinaryEvent, BinaryAck:
		return true
	}
	return false
}

// binaryType is the type with attachments that corresponds to t; t itself if
// there is none.
func binaryType(t Type) Type {
	switch t {
	case Event:
		return BinaryEvent
	case Ack:
		return BinaryAck
	}
	return t
}

const (
	// DefaultAttachments lets one event carry far more buffers than people
	// send by hand, while an attacker gets no more than a few kilobytes of
	// bookkeeping out of one header. (The JavaScript decoder's own default
	// is 10 since version 4.2.6, none before.)
	DefaultAttachments = 256
	// DefaultAttachmentBytes is what the reference server can be sent at its
	// defaults: 10 attachments of 1,000,000 bytes each. A lower value would
	// refuse packets of clients that work there.
	DefaultAttachmentBytes = 10_000_000
	// DefaultDepth is far above what applications nest, and low enough that
	// recursive code behind this package (handlers, encoders of both sides)
	// needs some hundred kilobytes of stack at worst.
	DefaultDepth = 512
	// DefaultNamespaceBytes is room for any sensible name with a query string.
	DefaultNamespaceBytes = 512
	// DefaultArgs bounds what splitting the arguments costs: an argument of
	// two bytes needs two slice headers once somebody wants a list of them.
	DefaultArgs = 1024

	// MaxDepth is the highest depth that [Limits] can ask for. The JSON
	// library behind [Unmarshal] refuses more.
	MaxDepth = 10_000

	// maxID is the highest integer that every JavaScript peer can send back
	// unchanged.
	maxID = 1<<53 - 1
)

// Limits bounds what one packet may cost. A zero field means its default, a
// nil *Limits means all defaults. Immutable once in use, safe to share.
type Limits struct {
	// Attachments is the highest number of attachments of one packet.
	Attachments int
	// AttachmentBytes is the highest sum of the sizes of those.
	AttachmentBytes int
	// Depth is the highest number of arrays and objects inside of each other,
	// the payload itself included; values over MaxDepth count as MaxDepth.
	Depth int
	// Namespace is the highest length of a namespace in bytes, with its query.
	Namespace int
	// Args is the highest number of arguments, the event name not included.
	Args int
}

// Effective returns the limits with the defaults filled in.
func (l *Limits) Effective() Limits {
	return Limits{
		Attachments: l.attachments(), AttachmentBytes: l.attachmentBytes(), Depth: l.depth(), Namespace: l.namespace(), Args: l.args(),
	}
}

func (l *Limits) attachments() int {
	if l == nil || l.Attachments <= 0 {
		return DefaultAttachments
	}
	return l.Attachments
}

func (l *Limits) attachmentBytes() int {
	if l == nil || l.AttachmentBytes <= 0 {
		return DefaultAttachmentBytes
	}
	return l.AttachmentBytes
}

func (l *Limits) depth() int {
	if l == nil || l.Depth <= 0 {
		return DefaultDepth
	}
	return min(l.Depth, MaxDepth)
}

func (l *Limits) namespace() int {
	if l == nil || l.Namespace <= 0 {
		return DefaultNamespaceBytes
	}
	return l.Namespace
}

func (l *Limits) args() int {
	if l == nil || l.Args <= 0 {
		return DefaultArgs
	}
	return l.Args
}

// Packet is a parsed packet. Loop-owned. Its slices are views of the text that
// was given to [Parse] (or, behind an [Assembler], of the copy that it made):
// they live as long as that, and nobody may write to them.
type Packet struct {
	Type Type
	// HasID tells whether the packet has an id, which is then in ID.
	// An Event with an id asks for an acknowledgement.
	HasID bool
	ID    uint64
	// Attachments is the number of binary messages that follow.
	Attachments int
	// Namespace is "/" when the text has none. The query string that clients
	// of protocol 3 put behind it is not part of it.
	Namespace []byte
	// Query is what follows the first '?' of the namespace, nil without one.
	Query []byte
	// Data is the JSON payload without blanks around it, nil without one.
	Data []byte
	// Event is the name of an Event or BinaryEvent, unescaped (a view if the
	// text has no escapes). A number, which the protocol allows, gives the text
	// that JavaScript would use as the property name: 1.0 is "1".
	Event []byte
	// Args are the elements of the payload after the name, for acknowledgements
	// all elements, without the brackets: `1,"two",{}`. May be empty.
	Args []byte
	// NArgs is the number of elements in Args.
	NArgs int
}

// Reserved reports whether an event may not have this name, because both sides
// use it for themselves. A peer that sends one breaks the protocol.
func Reserved(event string) bool { return reserved(event) }

func reserved[T string | []byte](name T) bool {
	switch string(name) {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// ValidNamespace reports whether name can stand in a packet: it begins with a
// slash and has no comma, no question mark, no control character.
// The Append functions rely on the caller to have checked it.
func ValidNamespace(name string) bool {
	if name == "" || name[0] != '/' {
		return false
	}
	for i := 1; i < len(name); i++ {
		if c := name[i]; c < ' ' || c == ',' || c == '?' {
			return false
		}
	}
	return true
}
