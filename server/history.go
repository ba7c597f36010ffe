package server

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Recovery lets clients that lost their connection for a while go on as if they had not (connection state recovery of
// Socket.IO 4.6): with the same socket id, rooms and values, and the events that they missed. It is on when
// MaxDisconnection is set.
//
// It costs a lock in each namespace, which every event emitted there takes, and the memory for what was emitted lately.
// Every event gets one more argument, its offset, which clients keep to themselves. Volatile events and those with an
// acknowledgement are not kept, and acknowledgements are not either.
type Recovery struct {
	// MaxDisconnection is how long a client may be away. Default 0: recovery is off, and other settings are an error. The
	// reference's default, when it is switched on, is 2 minutes.
	MaxDisconnection time.Duration
	// RunMiddlewares lets the middleware of the namespace run for recovered sockets too. Connect handlers always do.
	RunMiddlewares bool
	// MaxPackets bounds the events kept in each namespace. Default 100,000. Whoever missed more is a new client.
	MaxPackets int
	// MaxBytes bounds their bytes, as sent on a WebSocket. Default 64 MiB. A client that is to be sent more than half of
	// Queue.MaxBytes at once is a new client too.
	MaxBytes int
	// MaxSessions bounds the clients that may be away, in each namespace. Default 100,000; beyond it the one that is
	// away for longest is forgotten.
	MaxSessions int
}

// Defaults of Recovery.
const (
	defaultRecoveryPackets  = 100_000
	defaultRecoveryBytes    = 64 << 20
	defaultRecoverySessions = 100_000
)

// recoverable are the ends after which a client may come back: those that neither side meant.
func recoverable(r Reason) bool {
	switch r {
	case TransportClose, TransportError, PingTimeout, ForcedClose, ForcedServerClose, ServerShutdown:
		return true
	}
	return false
}

// history is what a namespace keeps for recovery: what was emitted lately, and who is away. Safe for concurrent use.
//
// Its lock orders the namespace's events: an event gets its offset, is kept, and is posted to the loops in one go, so
// that every client gets events in the order of their offsets, and what comes behind the last one that it has is
// what it missed.
type history struct {
	limits Recovery
	// replayMax is the most bytes that one client is sent again.
	replayMax int
	now       func() time.Time

	mu sync.Mutex
	// events are those kept, the oldest at head; the one at events[head] has the offset first.
	events []keptEvent
	head   int
	first  uint64
	bytes  int
	// away are the clients that may come back, by their private id, leaving in the order in which they left.
	away    map[string]*awaySocket
	leaving []*awaySocket

	// sweeper runs while anything is kept.
	sweeper *time.Timer
	closed  bool

	stats *recoveryStats
}

// recoveryStats count for all namespaces: clients that came back, as themselves or too late, and events that were given up
// for MaxPackets or MaxBytes.
type recoveryStats struct{ recovered, refused, dropped atomic.Uint64 }

// keptEvent is an event as it was sent. Immutable.
type keptEvent struct {
	frame *eio.Frame
	to    *audience
	at    time.Time
	size  int
}

// audience says whom an event was for, by name: rooms come and go. Immutable. No rooms are the whole namespace.
type audience struct{ rooms, except []string }

// includes reports whether a socket that was in those rooms, its own id among them, was meant.
func (a *audience) includes(rooms map[string]struct{}) bool {
	in := func(name string) bool { _, ok := rooms[name]; return ok }
	return (len(a.rooms) == 0 || slices.ContainsFunc(a.rooms, in)) && !slices.ContainsFunc(a.except, in)
}

// size is what the names count for: an event may be for very many rooms.
func (a *audience) size() (n int) {
	const nameBytes = 16
	for _, list := range [...][]string{a.rooms, a.except} {
		for _, name := range list {
			n += nameBytes + len(name)
		}
	}
	return n
}

// awaySocket is what a socket comes back with. Immutable.
type awaySocket struct {
	pid, id string
	rooms   []string // without its own id
	values  *values
	since   time.Time
}

func newHistory(limits Recovery, queueBytes int, stats *recoveryStats) *history {
	return &history{limits: limits, replayMax: queueBytes / 2, now: time.Now, first: 1, away: map[string]*awaySocket{}, stats: stats}
}

// Offsets are numbers of fixed length in a text form that JSON does not escape, so that one can be put into an event that
// is encoded already.
const (
	offsetBytes = 6
	offsetLen   = offsetBytes * 4 / 3
)

// offset is the text of an offset.
func offset(n uint64) [offsetLen]byte {
	var text [offsetLen]byte
	base64.RawURLEncoding.Encode(text[:], []byte{byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	return text
}

// offsetOf is the number of an offset; false when the text is none.
func offsetOf(text string) (n uint64, ok bool) {
	var raw [offsetBytes]byte
	if len(text) != offsetLen {
		return 0, false
	}
	if size, err := base64.RawURLEncoding.Decode(raw[:], []byte(text)); err != nil || size != offsetBytes {
		return 0, false // the decoder skips line ends
	}
	for _, b := range raw {
		n = n<<8 | uint64(b)
	}
	return n, true
}

// newPID makes a private id: whoever knows it may take the socket over, so it is a secret of the client and the server.
func newPID() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// record gives an event its offset, has send post it, and keeps it if that did not fail. encode makes the frame with the
// offset as its last argument. Neither may call back into the history.
func (h *history) record(to *audience, encode func(offset string) (*eio.Frame, error), send func(f *eio.Frame) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := offset(h.next())
	f, err := encode(string(text[:]))
	if err != nil {
		return err
	}
	if err := send(f); err != nil {
		return err
	}
	h.keep(keptEvent{frame: f, to: to, at: h.now(), size: f.Size() + to.size() + keptOverhead})
	return nil
}

// keptOverhead is what a kept event counts for besides its bytes.
const keptOverhead = 160

// kept is the number of events, next the offset of the one that comes next. Both are called with the lock held.
func (h *history) kept() int { return len(h.events) - h.head }

func (h *history) next() uint64 { return h.first + uint64(h.kept()) }

// keep is called with the lock held.
func (h *history) keep(e keptEvent) {
	if h.closed {
		h.first++
		return
	}
	if len(h.events) == cap(h.events) && h.head*2 >= len(h.events) {
		n := copy(h.events, h.events[h.head:])
		clear(h.events[n:])
		h.events, h.head = h.events[:n], 0
	}
	h.events = append(h.events, e)
	h.bytes += e.size
	h.expire(e.at)
	for h.kept() > h.limits.MaxPackets || h.bytes > h.limits.MaxBytes {
		h.forgetFirst()
		h.stats.dropped.Add(1)
	}
	h.sweepLater()
}

func (h *history) forgetFirst() {
	h.bytes -= h.events[h.head].size
	h.events[h.head] = keptEvent{}
	h.first++
	if h.head++; h.head == len(h.events) {
		h.events, h.head = h.events[:0], 0
	}
}

// expire forgets what is older than anybody who may come back. Called with the lock held.
func (h *history) expire(now time.Time) {
	limit := now.Add(-h.limits.MaxDisconnection)
	for h.head < len(h.events) && h.events[h.head].at.Before(limit) {
		h.forgetFirst()
	}
	for len(h.leaving) > 0 && h.leaving[0].since.Before(limit) {
		h.forgetAway()
	}
}

// forgetAway forgets the client that is away for longest; it may have come back.
func (h *history) forgetAway() {
	a := h.leaving[0]
	h.leaving[0] = nil
	h.leaving = h.leaving[1:]
	if h.away[a.pid] == a {
		delete(h.away, a.pid)
	}
}

// sweepLater sees to it that a namespace in which nothing happens keeps nothing for longer than need be. Called with the
// lock held.
func (h *history) sweepLater() {
	if h.sweeper == nil && !h.closed {
		wait := wheel.Deadline(int64(sweepSlack), h.limits.MaxDisconnection)
		h.sweeper = time.AfterFunc(time.Duration(wait), h.sweep)
	}
}

// sweepSlack makes a sweep come when what is to be forgotten is old enough.
const sweepSlack = 10 * time.Millisecond

func (h *history) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweeper = nil
	h.expire(h.now())
	if h.kept()+len(h.leaving) > 0 {
		h.sweepLater()
		return
	}
	// The places of a busy time are megabytes, and a namespace may be one of many.
	h.events, h.head, h.leaving, h.away = nil, 0, nil, map[string]*awaySocket{}
}

// close forgets everything, for good.
func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.sweeper != nil {
		h.sweeper.Stop()
	}
	h.first = h.next()
	h.events, h.head, h.bytes, h.leaving = nil, 0, 0, nil
	clear(h.away)
}

// leave keeps a socket that may come back.
func (h *history) leave(a *awaySocket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	a.since = h.now()
	h.expire(a.since)
	h.away[a.pid] = a
	h.leaving = append(h.leaving, a)
	for len(h.leaving) > h.limits.MaxSessions {
		h.forgetAway()
	}
	h.sweepLater()
}

// awaits reports whether a socket may come back still. Called with the lock held.
func (h *history) awaits(pid string) bool {
	a := h.away[pid]
	return a != nil && h.now().Sub(a.since) <= h.limits.MaxDisconnection
}

// restore takes out the socket with that private id, with what it missed behind the offset, and calls enter, which posts
// its way back into its rooms, before anything else can be emitted. The socket is nil, and enter is not called, when it
// cannot come back: it is unknown or away for too long, or more was emitted than is kept. Nobody comes back twice.
func (h *history) restore(pid, after string, enter func(a *awaySocket)) (a *awaySocket, missed []*eio.Frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a = h.away[pid]
	if a == nil {
		h.stats.refused.Add(1)
		return nil, nil
	}
	n, ok := offsetOf(after)
	end := h.next()
	if ok && h.now().Sub(a.since) <= h.limits.MaxDisconnection && n+1 >= h.first && n < end {
		missed, ok = h.missed(a, n+1)
	} else {
		ok = false
	}
	delete(h.away, pid)
	if !ok {
		h.stats.refused.Add(1)
		return nil, nil
	}
	h.stats.recovered.Add(1)
	enter(a)
	return a, missed
}

// missed are the events from that offset on that were for the socket; false when they are too many.
func (h *history) missed(a *awaySocket, from uint64) (frames []*eio.Frame, ok bool) {
	rooms := map[string]struct{}{a.id: {}}
	for _, name := range a.rooms {
		rooms[name] = struct{}{}
	}
	bytes := 0
	for i := h.head + int(from-h.first); i < len(h.events); i++ {
		if e := &h.events[i]; e.to.includes(rooms) {
			if bytes += e.frame.Size() + keptOverhead; bytes > h.replayMax {
				return nil, false
			}
			frames = append(frames, e.frame)
		}
	}
	return frames, true
}
