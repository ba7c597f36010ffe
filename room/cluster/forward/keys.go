package forward

import (
	"crypto/hmac"
	"crypto/sha256"
)

// macSize is the length of a proof.
const macSize = sha256.Size

// keys are what follows from the secret. Immutable, safe for concurrent use.
type keys struct {
	// links proves who is at the other end of a connection, news that an announcement is a node's.
	links, news []byte
	// mask masks the tags in ids.
	mask [sha256.Size]byte
}

func newKeys(secret []byte) *keys {
	derive := func(purpose string) []byte { return mac(secret, []byte("siren forward 1 "+purpose)) }
	return &keys{links: derive("links"), news: derive("news"), mask: [sha256.Size]byte(derive("mask"))}
}

// mac returns the HMAC (RFC 2104) of the parts in one.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
