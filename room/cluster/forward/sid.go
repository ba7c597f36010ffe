package forward

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// tag is a node's number, which it draws when it starts: 24 bits, and never 0.
type tag uint32

const (
	tagSize = 3
	tagMax  = 1<<(8*tagSize) - 1
)

// newTag draws a tag.
func newTag() tag {
	for {
		var b [4]byte
		_, _ = rand.Read(b[1:]) // it never fails
		if t := tag(binary.BigEndian.Uint32(b[:])); t != 0 {
			return t
		}
	}
}

func (t tag) append(dst []byte) []byte { return append(dst, byte(t>>16), byte(t>>8), byte(t)) }

func readTag(b []byte) tag { return tag(b[0])<<16 | tag(b[1])<<8 | tag(b[2]) }

// An id consists of random bytes, one byte with the loop's index, and the masked tag, in url-safe base64 without
// padding.
const (
	sidRandom = 17
	sidRaw    = sidRandom + 1 + tagSize
	sidLen    = sidRaw / 3 * 4
)

// newSID returns the id of a new session.
func (k *keys) newSID(t tag, loop int) string {
	var raw [sidRaw]byte
	var text [sidLen]byte
	_, _ = rand.Read(raw[:sidRandom]) // it never fails
	raw[sidRandom] = byte(loop)
	(t ^ k.masked(&raw)).append(raw[:sidRandom+1])
	base64.RawURLEncoding.Encode(text[:], raw[:])
	return string(text[:])
}

// readSID returns what an id names. ok is false if it does not have the form of one.
func (k *keys) readSID(sid []byte) (t tag, loop int, ok bool) {
	var raw [sidRaw]byte
	if len(sid) != sidLen {
		return 0, 0, false
	}
	// The decoder skips line breaks, which leave fewer bytes.
	if n, err := base64.RawURLEncoding.Decode(raw[:], sid); err != nil || n != sidRaw {
		return 0, 0, false
	}
	return readTag(raw[sidRandom+1:]) ^ k.masked(&raw), int(raw[sidRandom]), true
}

// masked returns the mask of the tag in an id: a hash of the key and the random bytes. Both have fixed lengths, so
// nobody without the key can compute the hash of anything, and the construction of HMAC is not needed.
func (k *keys) masked(raw *[sidRaw]byte) tag {
	var in [len(k.mask) + sidRandom]byte
	copy(in[copy(in[:], k.mask[:]):], raw[:sidRandom])
	sum := sha256.Sum256(in[:])
	return readTag(sum[:])
}
