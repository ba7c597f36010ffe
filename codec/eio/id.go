package eio

import "encoding/base64"

// MaxShards is the number of shards that an id can name: indexes are 0 to MaxShards-1.
const MaxShards = 256

// An id consists of random bytes and one byte with the shard index, in url-safe base64. Both sizes are
// multiples of three, so the text has no padding and no unused bits: every string of the right length
// and alphabet is exactly one id.
const (
	sidRandom      = 17 // bytes; 136 bits, so that 128 random bits and the shard fill whole base64 groups
	socketIDRandom = 14 // bytes; 112 bits

	// SIDLen is the length of a session id in characters.
	SIDLen = (sidRandom + 1) / 3 * 4
	// SocketIDLen is the length of a Socket.IO socket id in characters, the same as the reference
	// server's.
	SocketIDLen = (socketIDRandom + 1) / 3 * 4
)

// digitURL64 maps a character of the url-safe base64 alphabet to its value, all others to notDigit.
var digitURL64 = alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

// NewSID returns a new session id that names its home shard: 24 url-safe characters, 136 bits of which
// come from the operating system's random source. Whoever knows the id controls the session: give it
// to the client only. Safe for concurrent use. The only allocation is the string.
//
// The shard must be in [0, MaxShards); higher bits are dropped.
func NewSID(shard int) string {
	var raw [sidRandom + 1]byte
	var text [SIDLen]byte
	readRandom(raw[:sidRandom])
	raw[sidRandom] = byte(shard)
	base64.RawURLEncoding.Encode(text[:], raw[:])
	return string(text[:])
}

// NewSocketID returns a new Socket.IO socket id that names its home shard: 20 url-safe characters, 112
// bits of which are random. Socket ids are public, because applications give them to other clients. A
// socket id therefore shares no bits with the session id except the shard. Safe for concurrent use.
// The only allocation is the string.
//
// The shard must be in [0, MaxShards); higher bits are dropped.
func NewSocketID(shard int) string {
	var raw [socketIDRandom + 1]byte
	var text [SocketIDLen]byte
	readRandom(raw[:socketIDRandom])
	raw[socketIDRandom] = byte(shard)
	base64.RawURLEncoding.Encode(text[:], raw[:])
	return string(text[:])
}

// ShardOf returns the shard index in an id of NewSID or NewSocketID. ok is false if id has the form of
// neither. ok does not mean that the session exists, nor that the process has that many shards: a
// client may send any index below MaxShards.
func ShardOf(id []byte) (shard int, ok bool) {
	if len(id) != SIDLen && len(id) != SocketIDLen {
		return 0, false
	}
	var seen byte
	for _, c := range id {
		seen |= digitURL64[c]
	}
	if seen == notDigit {
		return 0, false
	}
	// The last byte is the shard: the low two bits of the last digit but one, and the last digit.
	high, low := digitURL64[id[len(id)-2]], digitURL64[id[len(id)-1]]
	return int(high<<6 | low), true
}
