package wsframe

import "math"

// Defaults of [Limits].
const (
	// DefaultMessageBytes is the maxPayload of the Engine.IO handshake.
	DefaultMessageBytes = 1_000_000
	// DefaultFragments lets a sender split a message of the default size into
	// pieces of 1 KiB.
	DefaultFragments = 1024
)

// Limits bounds what a [Reader] accepts. Immutable once in use; it may be shared by
// all connections of the same kind. The zero value and nil mean a server without
// extensions, with the default limits.
type Limits struct {
	// MessageBytes bounds the payload of a message in bytes, all its fragments
	// together. Up to that many bytes are held in memory while a fragmented message
	// is incomplete. For a compressed message it bounds the compressed size; whoever
	// inflates the message must bound the inflated size. Zero or less means
	// DefaultMessageBytes.
	MessageBytes int
	// Fragments bounds the number of frames of a message. Empty fragments take no
	// memory, but they take time, and without this limit a message could go on for
	// ever. Zero or less means DefaultFragments.
	Fragments int
	// AllowRSV1 is true when permessage-deflate was negotiated.
	AllowRSV1 bool
	// Client makes the Reader a client's: frames must not be masked.
	Client bool
}

var defaultLimits Limits

// messageBytes returns the limit, capped so that the size of a frame within it, with
// its header, fits an int.
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
