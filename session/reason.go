package session

import (
	"encoding/json"
	"fmt"
)

// Reason says why a session, or a socket on it, ended. Its text is the reference server's, except for ReasonDraining,
// which that server does not have. Immutable.
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

// String returns the reference server's text for the reason.
func (r Reason) String() string {
	if r == 0 || r >= ReasonCount {
		return "unknown"
	}
	return reasonTexts[r]
}

// MarshalText returns the same text, for JSON and for logs.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the texts of String.
func (r *Reason) UnmarshalText(text []byte) error {
	for known, t := range reasonTexts {
		if known > 0 && t == string(text) {
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
