package cluster

import (
	"fmt"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
)

// Kind is what a Message is about. Immutable. The numbers up to 13 are those of the reference's cluster adapters.
type Kind uint8

// The kinds of messages. What each of them uses of a Message, besides Kind, Namespace and From, is said here.
const (
	// InitialHeartbeat and Heartbeat are between adapters: how nodes learn of each other. Servers ignore them.
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
	// NodeLeft says that the node From has left Namespace, and no other one: nobody waits for its answers about that
	// namespace any longer. Adapters pass it on, and make one for each namespace when a node seems to be down.
	NodeLeft Kind = 13

	// CountSockets asks for the number of sockets of Target, CountResponse answers Request with Count. They are not the
	// reference's: an adapter in its formats asks with FetchSockets instead, and counts what it gets.
	CountSockets  Kind = 64
	CountResponse Kind = 65
	// Refused answers Request: the node From cannot take the question, because it is behind, at a limit, or has no handler
	// for it. Abandoned tells all nodes that nobody waits for the acknowledgements of the Broadcast with Request any longer.
	// They are not the reference's, and adapters in its formats leave them out: nodes then wait until the time-out.
	Refused   Kind = 66
	Abandoned Kind = 67
)

var kindNames = map[Kind]string{
	InitialHeartbeat: "initial heartbeat", Heartbeat: "heartbeat", Broadcast: "broadcast", SocketsJoin: "sockets join",
	SocketsLeave: "sockets leave", DisconnectSockets: "disconnect sockets", FetchSockets: "fetch sockets",
	FetchSocketsResponse: "fetch sockets response", ServerSideEmit: "server-side emit",
	ServerSideResponse: "server-side response", ClientCount: "client count", BroadcastAck: "broadcast ack",
	NodeLeft: "node left", CountSockets: "count sockets", CountResponse: "count response",
	Refused: "refused", Abandoned: "abandoned",
}

// String is the kind in words.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Message is what nodes send each other. Immutable once it is published or received. It holds plain data only, so that
// any encoding can carry it.
type Message struct {
	Kind      Kind
	Namespace string
	// From is the node that sent it. It may be empty in answers, and when no server but a program that only
	// publishes sent it: then nobody can be answered.
	From string
	// Request is the id of a question, in the question and in its answers. Empty: no answer is wanted.
	Request string
	// Target says which sockets are meant.
	Target Target
	// Data is a JSON array with the attachments its placeholders point to: of an event its name, then its
	// arguments; of an answer its arguments. The reference's formats carry only the first argument of an answer.
	Data sio.Raw
	// Rooms are those to join or to leave.
	Rooms []string
	// Close is for DisconnectSockets.
	Close bool
	// Sockets are for FetchSocketsResponse.
	Sockets []Socket
	// Count is for ClientCount and CountResponse.
	Count int
	// Offset is the message's place in the log of the broker, from adapters that keep one; else empty.
	Offset string
}

// Target says which sockets of a namespace are meant: those in any of Rooms, or all when there are none, but for those
// in any of Except. A socket's id is a room with that socket. Immutable.
type Target struct {
	Rooms, Except []string
	// Volatile drops the event for those that cannot take it at once.
	Volatile bool
	// NoCompress asks for no compression.
	NoCompress bool
	// Timeout is how long the sockets may take for their acknowledgements; 0 is the receiver's default.
	Timeout time.Duration
}

// Socket is a socket as other nodes see it. Immutable.
type Socket struct {
	ID        string
	Rooms     []string // its own id included
	Handshake Handshake
	// Data is what the application lets other nodes see of the socket: a JSON object, or nothing.
	Data sio.Raw
}

// Handshake is a socket's handshake as other nodes see it. Immutable.
type Handshake struct {
	// Headers have canonical names.
	Headers map[string][]string
	Query   map[string][]string
	// Auth is the payload of CONNECT as JSON; nil when there was none.
	Auth    []byte
	Address string
	URL     string
	// Issued is when the request was handled.
	Issued time.Time
	// Secure tells that it came over TLS, CrossDomain that it had an Origin.
	Secure, CrossDomain bool
}
