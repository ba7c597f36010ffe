package history

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/room/cluster"
)

// Limits are the bounds of a history. Immutable.
type Limits struct {
	// MaxDisconnection is how long a client may be absent, Heartbeat how long a session may last after its client has
	// gone.
	MaxDisconnection, Heartbeat time.Duration
	// MaxPackets bounds the stored events, MaxBytes their bytes, MaxSessions the absent clients, and MaxReplay the
	// bytes that are sent again to one client.
	MaxPackets, MaxBytes, MaxSessions, MaxReplay int
}

// History stores a namespace's recent events and absent sockets for recovery. Safe for concurrent use.
//
// Its lock orders the namespace's events: under it an event gets its offset, is stored and is posted to the loops. So
// every client gets events in the order of their offsets, and has missed the events after its last one. Sockets that
// may come back enter and leave the namespace under the same lock, so an event finds each of them either connected or
// absent.
type History struct {
	limits Limits
	// keepFor is how long events are kept: MaxDisconnection and a heartbeat, see Away.Arrived.
	keepFor time.Duration
	// replayMax bounds the bytes of the missed events of one client.
	replayMax int
	// Now returns the time since the history began. After calls fn when d is over, unless stop is called before. They
	// are the runtime's clock and timers unless the owner sets others before the history is used.
	Now   func() time.Duration
	After func(d time.Duration, fn func()) (stop func() bool)
	// forget is called with the id of a socket that will not come back.
	forget func(id string)
	// tail is the state of a history that follows the log of a cluster; nil without one. Immutable.
	tail *tail

	mu sync.Mutex // guards what follows; it comes before the locks of sockets, rooms and mailboxes
	// events has the stored events, from head on, the oldest first; events[head] has the offset first.
	events []keptEvent
	head   int
	first  uint64
	bytes  int
	index  index
	// dropped is the time at which the latest event that is no longer stored was emitted.
	dropped time.Duration
	// away are the clients that may come back, by their private id: elements of leaving, an *Away each, in the order
	// in which they left.
	away    map[PrivateID]*list.Element
	leaving list.List

	// sweeper stops the timer that runs while anything is kept; nil when none does.
	sweeper func() bool
	closed  bool

	stats *Stats
}

// Stats has the counters of all namespaces: clients that came back, clients that came too late, and events that were
// dropped because of MaxPackets or MaxBytes.
type Stats struct{ Recovered, Refused, Dropped atomic.Uint64 }

// keptEvent is a stored event, as it was sent. Immutable.
type keptEvent struct {
	frame *eio.Frame
	to    *Audience
	at    time.Duration // when it was emitted
	size  int
	id    cluster.Offset // its position in the cluster's log; zero without one
	// further has the links that index.near has no room for; nearly always nil.
	further []link
}

// Audience has the receivers of an event by name, because rooms come and go. Immutable. Without rooms and users it is
// the whole namespace.
type Audience struct{ Rooms, Users, Except []string }

// whole reports whether the receivers are the whole namespace, but for the exceptions.
func (a *Audience) whole() bool { return len(a.Rooms)+len(a.Users) == 0 }

// lists returns the lists of names, in the order of index.table.
func (a *Audience) lists() [3][]string { return [...][]string{a.Rooms, a.Users, a.Except} }

// size returns the size of the names, because an event may be for very many rooms.
func (a *Audience) size() (n int) {
	const nameBytes = 64 // with its place in the index
	for _, list := range a.lists() {
		for _, name := range list {
			n += nameBytes + len(name)
		}
	}
	return n
}

// New returns an empty history. It counts in stats, and calls forget with the id of each socket that will not come
// back, with its lock held.
func New(l Limits, stats *Stats, forget func(id string)) *History {
	start := time.Now()
	return &History{
		limits: l, keepFor: time.Duration(wheel.Deadline(int64(l.Heartbeat), l.MaxDisconnection)), replayMax: l.MaxReplay,
		Now:   func() time.Duration { return time.Since(start) },
		After: func(d time.Duration, fn func()) func() bool { return time.AfterFunc(d, fn).Stop }, forget: forget,
		first: firstOffset(), away: map[PrivateID]*list.Element{}, stats: stats,
	}
}

// Offsets are numbers with a text form of fixed length, which JSON does not escape, so that one can be put into an
// encoded event.
const (
	offsetBytes = 6
	offsetLen   = offsetBytes * 4 / 3
)

// offset returns the text of an offset.
func offset(n uint64) [offsetLen]byte {
	var text [offsetLen]byte
	base64.RawURLEncoding.Encode(text[:], []byte{byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	return text
}

// offsetOf parses an offset. It returns false if the text is not one.
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

// firstOffset returns the first offset of a history. It is random, so that offsets of another history, such as that of
// this namespace before a restart, can be recognised.
func firstOffset() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])>>(64-8*offsetBytes+1) + 1
}

// Record makes send post an event. With an audience the event gets its own offset, and is stored if send succeeds.
// Without one it is not stored, and carries the offset of the latest stored event. encode returns the frame with the
// offset as the last argument: every event needs one, because clients take a last argument that is a string for the
// offset. Neither function may call back into the history.
func (h *History) Record(to *Audience, encode func(offset string) (*eio.Frame, error), send func(f *eio.Frame) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.next()
	if to == nil {
		n--
	}
	text := offset(n)
	f, err := encode(string(text[:]))
	if err != nil {
		return err
	}
	if err := send(f); err != nil || to == nil {
		return err
	}
	h.keep(keptEvent{frame: f, to: to, at: h.Now(), size: f.Size() + to.size() + keptOverhead})
	return nil
}

// keptOverhead is the size of a stored event besides its bytes.
const keptOverhead = 176

// kept returns the number of stored events, next the offset of the next one. Both are called with the lock held.
func (h *History) kept() int { return len(h.events) - h.head }

func (h *History) next() uint64 { return h.first + uint64(h.kept()) }

// keep is called with the lock held.
func (h *History) keep(e keptEvent) {
	if h.closed {
		h.first++
		return
	}
	if len(h.events) == cap(h.events) && h.head*2 >= len(h.events) {
		h.index.near = h.index.near[:copy(h.index.near, h.index.near[h.head:])]
		n := copy(h.events, h.events[h.head:])
		clear(h.events[n:])
		h.events, h.head = h.events[:n], 0
	}
	e.further = h.index.add(h.next(), e.to)
	h.events = append(h.events, e)
	h.bytes += e.size
	h.expire(e.at)
	for h.kept() > h.limits.MaxPackets || h.bytes > h.limits.MaxBytes {
		h.forgetFirst()
		h.stats.Dropped.Add(1)
	}
	h.sweepLater()
}

func (h *History) forgetFirst() {
	e := &h.events[h.head]
	h.bytes -= e.size
	h.dropped = e.at
	if h.tail != nil {
		h.tail.from = e.id
	}
	h.index.remove(h.first, e.to)
	*e = keptEvent{}
	h.first++
	if h.head++; h.head == len(h.events) {
		h.events, h.head = h.events[:0], 0
		h.index.near = h.index.near[:0]
	}
}

// expireMax bounds the events, and the sockets, that one call of expire forgets. Those who emit wait meanwhile, and
// each of them adds one event. So a burst that has become too old goes in steps.
const expireMax = 512

// expire forgets events and sockets that are too old for any return. It reports whether some are left. Called with the
// lock held.
func (h *History) expire(now time.Duration) (more bool) {
	n := 0
	for ; n < expireMax && h.head < len(h.events) && now-h.events[h.head].at > h.keepFor; n++ {
		h.forgetFirst()
	}
	m := 0
	for e := h.leaving.Front(); m < expireMax && e != nil && !h.inTime(e.Value.(*Away), now); e = h.leaving.Front() {
		h.forgetAway(e)
		m++
	}
	return max(n, m) == expireMax
}

// sweepLater schedules a sweep, so that an idle namespace stores nothing for longer than necessary. Called with the
// lock held.
func (h *History) sweepLater() {
	h.sweepAfter(time.Duration(wheel.Deadline(int64(sweepSlack), h.limits.MaxDisconnection)))
}

func (h *History) sweepAfter(wait time.Duration) {
	if h.sweeper == nil && !h.closed {
		h.sweeper = h.After(wait, h.sweep)
	}
}

// sweepSlack delays a sweep until the things to forget are old enough.
const sweepSlack = 10 * time.Millisecond

func (h *History) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweeper = nil
	more := h.expire(h.Now())
	switch {
	case more:
		h.sweepAfter(sweepSlack)
	case h.kept()+h.leaving.Len() > 0:
		h.sweepLater()
	default:
		// The places of a busy time are megabytes, and a namespace may be one of many.
		h.events, h.head, h.away = nil, 0, map[PrivateID]*list.Element{}
		h.index.reset()
	}
}

// Close forgets everything, for good.
func (h *History) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.sweeper != nil {
		h.sweeper()
	}
	for h.leaving.Len() > 0 {
		h.forgetAway(h.leaving.Front())
	}
	h.first = h.next()
	h.events, h.head, h.bytes = nil, 0, 0
	h.index.reset()
}
