package eio

import (
	"crypto/rand"
	"sync"
)

// entropyBatch is the number of random bytes read at once. A read from the operating system's source
// costs about the same for any small amount; a batch serves about 30 ids.
const entropyBatch = 512

// entropy is a reserve of random bytes. Only one goroutine at a time may use it, see entropyPool.
type entropy struct {
	used int // buf[:used] has been handed out and is zero
	buf  [entropyBatch]byte
}

// entropyPool holds the reserves. A processor mostly gets back its own.
var entropyPool = sync.Pool{New: func() any { return &entropy{used: entropyBatch} }}

// readRandom fills dst, at most entropyBatch bytes, with random bytes from crypto/rand. Safe for
// concurrent use.
func readRandom(dst []byte) {
	e := entropyPool.Get().(*entropy)
	e.take(dst)
	entropyPool.Put(e)
}

// take fills dst and clears the bytes that it used. So no byte is used twice, and memory that holds
// future ids does not hold past ones.
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
