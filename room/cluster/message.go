package cluster

import (
	"fmt"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// Kind is the kind of a Message. Immutable. Numbers up to 13 are those of the reference's cluster adapters.
type Kind uint8

// The kinds of messages, with the fields that each uses besides Kind, Namespace and From.
const (
	// InitialHeartbeat and Heartbeat let adapters discover each other's nodes. Servers ignore them.
	InitialHeartbeat Kind = 1
	Heartbeat        Kind = 2
	// Broadcast emits the event in Data to Target. With Request, the sockets are asked for acknowledgements: each node
	// answers with one ClientCount, then with a BroadcastAck for each acknowledgement.
	Broadcast Kind = 3
	// SocketsJoin and SocketsLeave put the sockets of Target into Rooms, or take them out.
	SocketsJoin  Kind = 4
	SocketsLeave Kind = 5
	// DisconnectSockets disconnects the sockets of Target, with their connections when Close is set.
	DisconnectSockets Kind = 6
	// FetchSockets asks for the sockets of Target. FetchSocketsResponse answers Request with Sockets.
	FetchSockets         Kind = 7
	FetchSocketsResponse Kind = 8
	// ServerSideEmit hands the event in Data to the handlers of the other servers. With Request, each of them answers
	// with one ServerSideResponse, whose Data are the arguments.
	ServerSideEmit     Kind = 9
	ServerSideResponse Kind = 10
	// ClientCount answers a Broadcast with Request: Count sockets got it, and may acknowledge.
	ClientCount Kind = 11
	// BroadcastAck answers it too: Data are the arguments of one socket's acknowledgement.
	BroadcastAck Kind = 12
	// NodeLeft reports that the node From has left Namespace, and only that one. Nobody waits for its answers about
	// that namespace any longer. Adapters pass it on, and send one per namespace when a node seems to be down.
	NodeLeft Kind = 13

	// CountSockets asks for the number of sockets of Target, CountResponse answers Request with Count. They are not the
	// reference's: an adapter in its formats asks with FetchSockets instead, and counts the result.
	CountSockets  Kind = 64
	CountResponse Kind = 65
	// Refused answers Request: the node From cannot take the question, because it is behind, at a limit, or has no
	// handler for it. Abandoned tells all nodes that nobody waits for the acknowledgements of the Broadcast with
	// Request any longer. They are not the reference's, and adapters in its formats leave them out: nodes then wait
	// until the time-out.
	Refused   Kind = 66
	Abandoned Kind = 67
	// LogPosition is no message of another node: an adapter with a Log tells the server that it hands over the messages
	// after Offset, and that some before may be missing. Without an Offset it tells Unsettled alone.
	LogPosition Kind = 68
)

var kindNames = map[Kind]string{
	InitialHeartbeat: "initial heartbeat", Heartbeat: "heartbeat", Broadcast: "broadcast", SocketsJoin: "sockets join",
	SocketsLeave: "sockets leave", DisconnectSockets: "disconnect sockets", FetchSockets: "fetch sockets",
	FetchSocketsResponse: "fetch sockets response", ServerSideEmit: "server-side emit",
	ServerSideResponse: "server-side response", ClientCount: "client count", BroadcastAck: "broadcast ack",
	NodeLeft: "node left", CountSockets: "count sockets", CountResponse: "count response",
	Refused: "refused", Abandoned: "abandoned", LogPosition: "log position",
}

// String returns the name of the kind.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Message is a message between nodes. Immutable once published or received. It holds plain data only, so that any
// encoding can carry it.
type Message struct {
	Kind      Kind
	Namespace string
	// From is the node that sent the message. It may be empty in answers, and if a program that only publishes sent it;
	// such a message cannot be answered.
	From string
	// Request is the id of a question, in the question and its answers. Empty means that no answer is wanted.
	Request string
	// Target selects the sockets.
	Target Target
	// Data is a JSON array with the attachments of its placeholders: the name and arguments of an event, or the
	// arguments of an answer. The reference's formats carry only the first argument of an answer.
	Data sio.Raw
	// Rooms are the rooms to join or to leave.
	Rooms []string
	// Close is set by DisconnectSockets to close the connections too.
	Close bool
	// Sockets is the answer in FetchSocketsResponse.
	Sockets []Socket
	// Count is the number in ClientCount and CountResponse.
	Count int
	// Offset is the message's position in the broker's log; zero if it is not from there. See Log.
	Offset Offset
	// Repeated is set for a message of this node that was handed over before, without its offset: the log has it now. It
	// was delivered then, and only those who come back may have missed it.
	Repeated bool
	// Unsettled is set while messages that were handed over without an offset may still get one. Nobody can tell what a
	// client has missed that was told an offset meanwhile.
	Unsettled bool
}

// Target selects sockets of a namespace: those in any of Rooms and those of any of Users, or all if both are empty,
// except those in any of Except. A socket's id is a room with that socket. Immutable.
type Target struct {
	Rooms, Except []string
	// Users are the users whose sockets are meant, beside those in Rooms. The reference's formats have no place for
	// them: an adapter that speaks one returns an error for a message with Users, because without them it would be for
	// others.
	Users []string
	// Volatile drops the event for sockets that cannot take it at once.
	Volatile bool
	// NoCompress disables compression of the event.
	NoCompress bool
	// Timeout bounds the time for the sockets' acknowledgements; 0 means the receiver's default.
	Timeout time.Duration
}

// Socket describes a socket to other nodes. Immutable.
type Socket struct {
	ID        string
	Rooms     []string // its own id included
	User      string   // what the application has set; empty if it has not, or if its node cannot tell
	Handshake Handshake
	// Data is the part of the socket's data that the application shows to other nodes: a JSON object, or nothing.
	Data sio.Raw
}

// Handshake describes a socket's handshake to other nodes. Immutable.
type Handshake struct {
	// Headers has canonical names.
	Headers map[string][]string
	Query   map[string][]string
	// Auth is the payload of CONNECT as JSON; nil if there was none.
	Auth    []byte
	Address string
	URL     string
	// Issued is the time at which the request was handled.
	Issued time.Time
	// Secure reports whether the request came over TLS, CrossDomain whether it had an Origin.
	Secure, CrossDomain bool
}

// MarshalJSON gives the handshake the form that socket.handshake has in the reference.
func (h Handshake) MarshalJSON() ([]byte, error) {
	if h.Auth == nil {
		h.Auth = []byte("{}")
	}
	return eio.Handshake(h).MarshalJSON()
}

// UnmarshalJSON reads what MarshalJSON has written, or a node that runs the reference.
func (h *Handshake) UnmarshalJSON(b []byte) error { return (*eio.Handshake)(h).UnmarshalJSON(b) }

// messageOverhead is the size of a queued message besides its data, in bytes.
const messageOverhead = 256

// Size estimates the memory of the message, in bytes, for the bounds of queues.
func (m *Message) Size() int {
	n := messageOverhead + len(m.Data.JSON)
	for _, a := range m.Data.Attachments {
		n += len(a)
	}
	for i := range m.Sockets {
		n += messageOverhead + len(m.Sockets[i].Data.JSON)
	}
	return n
}
