package cluster

import "time"

// State is the state of an adapter's connection to its broker. Immutable.
type State uint8

// The states. Messages are refused in Down and Closed only.
const (
	// Connecting: the first attempt, or the first after a connection was lost. Messages wait in the queue.
	Connecting State = iota
	// Up: messages are sent and received.
	Up
	// Stalled: the broker has not answered for a while, on a connection that is open. Messages wait in the queue;
	// questions to other nodes fail.
	Stalled
	// Down: there is no connection, and the adapter tries to connect. Messages are refused.
	Down
	// Closed: the adapter was closed.
	Closed
)

var stateNames = [...]string{Connecting: "connecting", Up: "up", Stalled: "stalled", Down: "down", Closed: "closed"}

// String returns the name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Health is the state of an adapter at one time. Immutable.
type Health struct {
	State State
	// Since is when the state began.
	Since time.Time
	// Err is the reason for Stalled and Down; nil otherwise.
	Err error
}

// Degraded reports whether other nodes may not be reached.
func (h Health) Degraded() bool { return h.State != Up }

// HealthReporter is an optional interface of an Adapter with a broker. Safe for concurrent use.
type HealthReporter interface {
	Health() Health
	Stats() Stats
}

// Stats counts what an adapter has done since it was made. Immutable.
type Stats struct {
	// Published and Received are the messages that the broker took from this node and that this node took from it. The
	// node's own messages, which some brokers send back, are not counted.
	Published, Received uint64
	// PublishedBytes and ReceivedBytes are their payloads.
	PublishedBytes, ReceivedBytes uint64
	// DroppedFull are the messages to other nodes that were refused because the queue was full, DroppedDown those that
	// were refused or given up while the broker was down. The outcome of DroppedUnknown is not known: the connection
	// was lost before the broker had answered.
	DroppedFull, DroppedDown, DroppedUnknown uint64
	// DroppedInvalid are messages of this node that could not be encoded.
	DroppedInvalid uint64
	// DroppedBehind are the messages of other nodes that were dropped because this node was too far behind.
	DroppedBehind uint64
	// Malformed are the messages on the cluster's channels that could not be decoded.
	Malformed uint64
	// Outages is how often the connection was lost.
	Outages uint64
	// Queued are the messages that wait for the broker now, and QueuedBytes their size.
	Queued, QueuedBytes int
}
