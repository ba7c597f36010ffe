package wsframe

import "math"

// Defaults of [Limits].
const (
	// DefaultMessageBytes is the maxPayload of the Engine.IO handshake.
	DefaultMessageBytes = 1_000_000
	// DefaultFragments leaves room for a sender that cuts a message of the
	// default size into pieces of 1 KiB.
	DefaultFragments = 1024
)

// Limits says what a [Reader] accepts. Immutable: made once, then shared by
// all connections of the same kind. The zero value, and nil, are a server
// without extensions with the default limits.
type Limits struct {
	// MessageBytes is the most bytes of payload that a message may have, all
	// its fragments together. Up to that many are held in memory while a
	// fragmented message is open. Of a compressed message it limits what is on
	// the wire: the inflated size is for whoever inflates. Zero or less means
	// DefaultMessageBytes.
	MessageBytes int
	// Fragments is the most frames that a message may consist of. Empty
	// fragments take no memory, but they take time, and without this limit a
	// message would never have to end. Zero or less means DefaultFragments.
	Fragments int
	// AllowRSV1 is set when permessage-deflate was negotiated.
	AllowRSV1 bool
	// Client is set when we are the client: then frames must not be masked.
	Client bool
}

var defaultLimits Limits

// messageBytes never returns more than what leaves room for the header, so
// that the size of a frame within the limit fits an int.
func (l *Limits) messageBytes() int64 {
	if l.MessageBytes <= 0 {
		return DefaultMessageBytes
	}
	return int64(min(l.MessageBytes, math.MaxInt-headerBytesMax))
}

func (l *Limits) fragments() int64 {
	if l.Fragments <= 0 {
		return DefaultFragments
	}
	return int64(min(l.Fragments, math.MaxInt32))
}
