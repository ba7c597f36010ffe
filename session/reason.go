package session

import (
	"encoding/json"
	"fmt"
)

// Reason says why a session, or a socket on it, ended. Its text is the reference server's, except for ReasonDraining
// and ReasonRateLimited, which that server does not have. Some reasons are only counted: Plain returns the one that the
// application is told, and Label the word under which they are counted. Immutable.
type Reason uint8

// The reasons for the end of a session or a socket.
const (
	// ReasonClientLeft: the client sent a DISCONNECT packet for the namespace.
	ReasonClientLeft Reason = iota + 1
	// ReasonServerLeft: the server disconnected the socket from the namespace.
	ReasonServerLeft
	// ReasonTransportClose: the connection was closed (the client left, or lost its network).
	ReasonTransportClose
	// ReasonTransportError: the transport violated the protocol or failed.
	ReasonTransportError
	// ReasonPingTimeout: no pong came within pingTimeout.
	ReasonPingTimeout
	// ReasonParseError: the client sent something that is not an Engine.IO packet.
	ReasonParseError
	// ReasonForcedClose: the server closed the session, for instance after an invalid Socket.IO packet.
	ReasonForcedClose
	// ReasonForcedServerClose: the server closed the session because of its state, for instance when no
	// namespace was joined in time.
	ReasonForcedServerClose
	// ReasonServerShutdown: the server is going down.
	ReasonServerShutdown
	// ReasonDraining: the server has ended its clients one after the other, before it goes down.
	ReasonDraining
	// ReasonRateLimited: the client exceeded Limits for too long.
	ReasonRateLimited
	// ReasonQueueFull is ReasonTransportError: the client did not read what was sent, and its queue was full.
	ReasonQueueFull
	// ReasonMemory is ReasonTransportError: all clients together held more than the memory budget, and this one much of
	// it.
	ReasonMemory
	// ReasonTokenExpired is ReasonServerLeft: the time of the client's credentials was over.
	ReasonTokenExpired

	// ReasonCount is one more than the highest reason, for tables of counters.
	ReasonCount
)

var reasonTexts = [ReasonCount]string{
	ReasonClientLeft:        "client namespace disconnect",
	ReasonServerLeft:        "server namespace disconnect",
	ReasonTransportClose:    "transport close",
	ReasonTransportError:    "transport error",
	ReasonPingTimeout:       "ping timeout",
	ReasonParseError:        "parse error",
	ReasonForcedClose:       "forced close",
	ReasonForcedServerClose: "forced server close",
	ReasonServerShutdown:    "server shutting down",
	ReasonDraining:          "draining",
	ReasonRateLimited:       "rate limited",
}

// special has the reasons that are only counted: their labels, and the plain reasons.
var special = [ReasonCount]struct {
	label string
	plain Reason
}{
	ReasonQueueFull:    {"queue full", ReasonTransportError},
	ReasonMemory:       {"memory", ReasonTransportError},
	ReasonTokenExpired: {"token expired", ReasonServerLeft},
}

// Plain returns the reason that handlers and clients are told.
func (r Reason) Plain() Reason {
	if r < ReasonCount && special[r].plain != 0 {
		return special[r].plain
	}
	return r
}

// Reconnects reports whether clients connect again by themselves after it.
func (r Reason) Reconnects() bool {
	switch r {
	case ReasonTransportClose, ReasonTransportError, ReasonPingTimeout, ReasonForcedClose, ReasonForcedServerClose, ReasonServerShutdown,
		ReasonDraining, ReasonRateLimited:
		return true
	}
	return false
}

// Label returns the word under which ends are counted: String, or a more exact one for reasons that are only counted.
func (r Reason) Label() string {
	if r < ReasonCount && special[r].label != "" {
		return special[r].label
	}
	return r.String()
}

// String returns the reference server's text for the reason.
func (r Reason) String() string {
	if r == 0 || r >= ReasonCount {
		return "unknown"
	}
	r = r.Plain()
	return reasonTexts[r]
}

// MarshalText returns the same text, for JSON and for logs.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the texts of String.
func (r *Reason) UnmarshalText(text []byte) error {
	for known, t := range reasonTexts {
		if t != "" && t == string(text) {
			*r = Reason(known)
			return nil
		}
	}
	return fmt.Errorf("session: %q is no reason", text)
}

// ReasonCounts counts something by its reason. A plain value.
type ReasonCounts [ReasonCount]uint64

// MarshalJSON returns an object with the counts that are not zero, under the texts of their reasons.
func (c ReasonCounts) MarshalJSON() ([]byte, error) {
	counts := map[Reason]uint64{}
	for r, n := range c {
		if n > 0 {
			counts[Reason(r)] = n
		}
	}
	return json.Marshal(counts)
}

// Error returns the same text. It makes a Reason usable as the cause of a cancelled context.
func (r Reason) Error() string { return r.String() }
