package sio

// The revisions of the Socket.IO protocol that this package's packets have: the current one, and the one that clients
// 2.x speak over Engine.IO 3. Both encode packets in the same way.
const (
	Protocol  = 5
	Protocol4 = 4
)

// Type is the first character of a packet. Immutable.
type Type byte

// The packet types (section "Packet encoding" of the protocol).
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

// mayLackPayload reports whether packets of this type may have no payload.
func (t Type) mayLackPayload() bool {
	switch t {
	case Event, Ack, BinaryEvent, BinaryAck:
		return true
	}
	return false
}

// binaryType returns the type with attachments that corresponds to t, or t itself if
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
	// DefaultAttachments allows far more buffers than ordinary events have, while an
	// attacker can cause only a few kilobytes of bookkeeping with one header. (The
	// JavaScript decoder's own default is 10 since version 4.2.6, and no limit before.)
	DefaultAttachments = 256
	// DefaultAttachmentBytes is the size that the reference server accepts by default:
	// 10 attachments of 1,000,000 bytes each. A lower value would refuse packets that
	// work there.
	DefaultAttachmentBytes = 10_000_000
	// DefaultDepth is far above the nesting of real applications, and low enough that
	// recursive code that processes the values (handlers, encoders of both sides) needs
	// at most some hundred kilobytes of stack.
	DefaultDepth = 512
	// DefaultNamespaceBytes is enough for any sensible name with a query string.
	DefaultNamespaceBytes = 512
	// DefaultArgs bounds the cost of splitting the arguments: an argument of two bytes
	// needs two slice headers in a list.
	DefaultArgs = 1024

	// MaxDepth is the highest depth that [Limits] can allow. The JSON library used by
	// [Unmarshal] refuses more.
	MaxDepth = 10_000

	// maxID is the highest integer that every JavaScript peer can send back unchanged.
	maxID = 1<<53 - 1
)

// Limits bounds the cost of one packet. A zero field means its default, and a nil
// *Limits means all defaults. Immutable once in use, and safe to share.
type Limits struct {
	// Attachments is the highest number of attachments of one packet.
	Attachments int
	// AttachmentBytes is the highest sum of the attachments' sizes.
	AttachmentBytes int
	// Depth is the deepest nesting of arrays and objects, including the payload itself.
	// Values above MaxDepth count as MaxDepth.
	Depth int
	// Namespace is the greatest length of a namespace in bytes, including its query.
	Namespace int
	// Args is the highest number of arguments, not counting the event name.
	Args int
}

// Effective returns the limits including the defaults.
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

// Packet is a parsed packet. Loop-owned. Its slices are views of the text passed to
// [Parse], or of the copy that an [Assembler] made. They are valid as long as that
// text, and must not be written to.
type Packet struct {
	Type Type
	// HasID reports whether the packet has an id, which is then in ID. An Event with an
	// id requests an acknowledgement.
	HasID bool
	ID    uint64
	// Attachments is the number of binary messages that follow.
	Attachments int
	// Namespace is "/" if the text has none. It does not include the query string that
	// clients of protocol 3 append.
	Namespace []byte
	// Query is the part of the namespace after the first '?', or nil.
	Query []byte
	// Data is the JSON payload without blanks around it, or nil.
	Data []byte
	// Event is the name of an Event or BinaryEvent, unescaped (a view if the text has no
	// escapes). The protocol also allows numbers: they become the property name that
	// JavaScript would use, so 1.0 is "1".
	Event []byte
	// Args is the list of the arguments without the brackets, such as `1,"two",{}`: the
	// elements after the name, or all elements of an acknowledgement. It may be empty.
	Args []byte
	// NArgs is the number of elements in Args.
	NArgs int
}

// Reserved reports whether the event name is reserved, because both sides use it
// internally. A peer that sends such an event violates the protocol.
func Reserved(event string) bool { return reserved(event) }

func reserved[T string | []byte](name T) bool {
	switch string(name) {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// ValidNamespace reports whether name can be sent in a packet: it begins with a slash
// and has no comma, question mark or control character. Callers of the Append
// functions must have checked it.
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
