package eio

import (
	"crypto/rand"
	"sync"
)

// entropyBatch is how many random bytes are asked for at once, in bytes. The operating system's
// source costs about the same for any small amount; this much serves about 30 ids.
const entropyBatch = 512

// entropy is a stock of random bytes. It belongs to one goroutine at a time, see entropyPool.
type entropy struct {
	used int // buf[:used] has been handed out and is zero
	buf  [entropyBatch]byte
}

// entropyPool makes the stock cheap to share: a processor mostly finds its own again.
var entropyPool = sync.Pool{New: func() any { return &entropy{used: entropyBatch} }}

// readRandom fills dst, at most entropyBatch bytes, with bytes from crypto/rand. Safe for concurrent
// use.
func readRandom(dst []byte) {
	e := entropyPool.Get().(*entropy)
	e.take(dst)
	entropyPool.Put(e)
}

// take fills dst and wipes what it took: an id can't be found in memory next to those that follow,
// and no byte is handed out twice.
func (e *entropy) take(dst []byte) {
	if len(e.buf)-e.used < len(dst) {
		// Never fails: crypto/rand ends the process when the system has no random source.
		rand.Read(e.buf[:])
		e.used = 0
	}
	n := copy(dst, e.buf[e.used:])
	clear(e.buf[e.used : e.used+n])
	e.used += n
}
