package api

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

const (
	// idempotencyLife is how long an answer is given again.
	idempotencyLife = 5 * time.Minute
	// idempotencyKeys and idempotencyBytes bound the table: 100,000 keys, with their answers no more than 64 MiB. Answers of
	// emit are some 30 bytes, those of batches up to 100 kB.
	idempotencyKeys  = 100_000
	idempotencyBytes = 64 << 20
	// idempotencyKeyMax is the longest key, in bytes.
	idempotencyKeyMax = 255
	// entryBytes is what an entry counts for besides its key and answer.
	entryBytes = 256
)

// idempotency remembers the answers to requests that were made with a key. Safe for concurrent use.
type idempotency struct {
	keys, bytes int // bounds; immutable

	mu      sync.Mutex // guards what follows
	entries map[entryKey]*entry
	order   list.List // of *entry, the oldest first
	size    int
}

// entryKey is a caller's key. Immutable.
type entryKey struct {
	caller [sha256.Size]byte
	key    string
}

// entry is a request with a key. Guarded by the table's mutex, but for what is immutable.
type entry struct {
	key     entryKey          // immutable
	request [sha256.Size]byte // digest of the call and its body; immutable
	begun   time.Time         // immutable
	at      *list.Element
	done    bool
	answer  []byte // immutable once done
}

func newIdempotency(keys, bytes int) *idempotency {
	return &idempotency{keys: keys, bytes: bytes, entries: map[entryKey]*entry{}}
}

// fingerprint is the digest of a request.
func fingerprint(call string, body []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	_, _ = h.Write([]byte(call))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(body)
	h.Sum(sum[:0])
	return sum
}

// begin begins a request. It returns the entry of a new one, for which finish or abandon has to be called; or one that is
// done, whose answer is to be given again; or why the request cannot be made.
func (t *idempotency) begin(key entryKey, request [sha256.Size]byte, now time.Time) (*entry, *problem.Problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	if e := t.entries[key]; e != nil {
		switch {
		case e.request != request:
			return nil, problem.Field(problem.IdempotencyConflict, "Idempotency-Key", "the key was used for another call or body")
		case !e.done:
			return nil, &problem.Problem{
				Code: problem.IdempotencyInProgress, Field: "Idempotency-Key", RetryAfter: time.Second,
				Detail: "the first request with this key is not answered yet",
			}
		}
		return e, nil
	}
	e := &entry{key: key, request: request, begun: now}
	e.at = t.order.PushBack(e)
	t.entries[key] = e
	t.size += e.bytes()
	t.shrink()
	return e, nil
}

func (e *entry) bytes() int { return entryBytes + len(e.key.key) + len(e.answer) }

// expire forgets what is too old. The oldest stand first. Called with the lock held.
func (t *idempotency) expire(now time.Time) {
	for at := t.order.Front(); at != nil; {
		e := at.Value.(*entry)
		if now.Sub(e.begun) < idempotencyLife {
			return
		}
		at = at.Next()
		if e.done { // what is under way stays: it is bounded by the connections
			t.forget(e)
		}
	}
}

// shrink forgets the oldest until the table is within its bounds. Called with the lock held.
func (t *idempotency) shrink() {
	for at := t.order.Front(); at != nil && (len(t.entries) > t.keys || t.size > t.bytes); {
		e := at.Value.(*entry)
		at = at.Next()
		if e.done {
			t.forget(e)
		}
	}
}

// forget is called with the lock held.
func (t *idempotency) forget(e *entry) {
	t.order.Remove(e.at)
	delete(t.entries, e.key)
	t.size -= e.bytes()
}

// finish keeps the answer of a request.
func (t *idempotency) finish(e *entry, answer []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size -= e.bytes()
	e.done, e.answer = true, answer
	t.size += e.bytes()
	t.shrink()
}

// abandon forgets a request that did not succeed: it may be made again.
func (t *idempotency) abandon(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(e)
}

// validKey reports whether an Idempotency-Key is one: 1 to 255 visible ASCII characters.
func validKey(key []byte) bool {
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(key) >= 1 && len(key) <= idempotencyKeyMax
}
