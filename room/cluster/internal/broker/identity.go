package broker

import (
	"crypto/rand"
	"encoding/base64"
)

const (
	// idBytes is the length of a random id before it is text: enough that no two nodes draw the same.
	idBytes = 9
	// emitterID is the id of adapters that only publish, as in the reference.
	emitterID = "emitter"
)

// NodeID returns the id of a node: that of the configuration, or that of all adapters that only publish, or a new one.
func NodeID(configured string, publishOnly bool) string {
	switch {
	case configured != "":
		return configured
	case publishOnly:
		return emitterID
	}
	return NewID()
}

// NewID returns a random id, of characters that every format allows.
func NewID() string {
	var b [idBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
