package stream

import (
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Loop is the part of an event loop that serves connections. It is loop-owned, except for its Counters. Call Init
// before anything else.
type Loop struct {
	Counters Counters

	host   Host
	limits *Limits
	wheel  *wheel.Wheel
	now    int64

	current  *Conn   // its Receive is running; it is flushed at once and needs no place in dirty
	dirty    dirties // connections with something to flush
	after    []*Conn // Settle closes, flushes or resumes them when the current entry has returned
	settled  int     // the number of connections at the front of after that are settled already
	settling bool
	held     heldInput // connections whose input goes on in a later turn
	budget   budget

	timersGoOn func() bool // spends the work of a timer; made once
	remotes    []*Remote   // handles whose batches are posted at the end of the entry

	awaiting map[uint64]*Conn // by ticket: connections whose socket is full
	tickets  uint64
	ending   int // connections that are leaving or lingering
	queued   int // bytes in the queues of all connections

	parts [][]byte
	lists listPool
	rests restPool
	rares rarePool

	memory memory.Ledger
}

// Counters count what the connections of a loop do. Only the loop writes them, so the atomics are never contended;
// anybody may read them.
type Counters struct {
	Frames        atomic.Int64 // accepted by Queue, of Conn and Remote
	Refused       atomic.Int64 // refused by Queue because of QueueBytesMax
	FramesDropped atomic.Int64 // went with a closed connection
	Writes        atomic.Int64 // calls of Socket.Write
	BytesOut      atomic.Int64 // taken by sockets
	Blocked       atomic.Int64 // connections that wait now for a peer that does not read
	WriteTimeouts atomic.Int64 // connections closed with ErrWriteTimeout
	FlushTimeouts atomic.Int64 // connections closed with ErrFlushTimeout
	Discarded     atomic.Int64 // connections closed with ErrDiscarded
	Abandoned     atomic.Int64 // connections that the peer ended, or half-closed, while data waited for it
	// Cut counts connections that this side ended, or had begun to end, and whose sockets then had not taken all
	// frames; FramesCut counts these frames. A frame of Conn.Last does not count.
	Cut, FramesCut atomic.Int64
}

// partsMax bounds the parts of one write; the kernel refuses more than 1,024.
const partsMax = 1024

// Init prepares the loop. limits must not change afterwards.
func (l *Loop) Init(host Host, limits *Limits, w *wheel.Wheel, now int64) {
	l.host, l.limits, l.wheel, l.now = host, limits, w, now
	l.awaiting = make(map[uint64]*Conn)
	l.parts = make([][]byte, 0, 64)
	l.held.loop, l.held.stopped = l, make(map[*Conn]struct{})
	l.timersGoOn = func() bool { return !l.Spend(timerWork) }
	l.Renew()
}

// Stream returns l, for event loops that embed a Loop. Safe for concurrent use.
func (l *Loop) Stream() *Loop { return l }

// Host returns the event loop around this one. Safe for concurrent use.
func (l *Loop) Host() Host { return l.host }

// Index returns the loop's number. Safe for concurrent use.
func (l *Loop) Index() int { return l.host.Index() }

// Limits returns the limits of the loop's connections. Safe for concurrent use.
func (l *Loop) Limits() *Limits { return l.limits }

// Now returns nanoseconds of a monotonic clock shared by all loops, as of the start of the current entry.
func (l *Loop) Now() int64 { return l.now }

// SetNow sets the time of the current entry.
func (l *Loop) SetNow(now int64) { l.now = now }

// Wheel returns the loop's timers. The next deadline is looked at when the current entry ends.
func (l *Loop) Wheel() *wheel.Wheel { return l.wheel }

// Memory returns the account of what clients of the loop hold.
func (l *Loop) Memory() *memory.Ledger { return &l.memory }

// Unsettled reports whether Settle has something to do.
func (l *Loop) Unsettled() bool { return len(l.after) > 0 }

// Dirty returns the number of connections with frames to flush.
func (l *Loop) Dirty() int { return l.dirty.len() }

// Unfinished reports whether connections still have something to send, or to wait for at their end.
func (l *Loop) Unfinished() bool { return l.Waiting() > 0 || l.ending > 0 }

// Waiting returns the number of connections with bytes to send that their sockets have not taken. It walks the dirty
// list, where connections that have closed stay until the flush.
func (l *Loop) Waiting() int { return l.dirty.queued() + len(l.awaiting) }

// Queued returns the number of bytes in the queues of the loop's connections.
func (l *Loop) Queued() int { return l.queued }

// settleWork is the estimated work for one connection in Settle: most of them close.
const settleWork = int(5 * time.Microsecond)

// Settle closes, flushes and resumes connections as the entry that has just returned requested, until the turn's budget
// is used up. Unsettled reports whether something is left for a later call.
func (l *Loop) Settle() {
	if l.settling || len(l.after) == 0 {
		return
	}
	l.settling = true
	for over := false; l.settled < len(l.after) && !over; { // grows meanwhile
		c := l.after[l.settled]
		l.after[l.settled] = nil
		l.settled++
		c.flags &^= flagAfter
		c.settle()
		over = l.Spend(settleWork)
	}
	if l.settled == len(l.after) {
		l.after, l.settled = l.after[:0], 0
	}
	l.settling = false
}

// Recover makes the loop usable again after a panic has left Settle.
func (l *Loop) Recover() { l.settling = false }

// afterwards puts c on the list for Settle.
func (l *Loop) afterwards(c *Conn) {
	if c.flags&flagAfter == 0 {
		c.flags |= flagAfter
		l.after = append(l.after, c)
	}
	l.host.Entered()
}

// FlushSome flushes at most count dirty connections, and stops when the clock passes until. It settles endings in
// between.
func (l *Loop) FlushSome(count int, until int64) {
	for n := 0; n < count && l.dirty.len() > 0; n++ {
		c := l.dirty.pop()
		c.flags &^= flagDirty
		c.Flush()
		if len(l.after) > 0 {
			l.Settle()
		}
		if l.now = l.host.Clock(); l.now >= until {
			return
		}
	}
}

// Writable reports that the socket of the connection with that ticket takes more. The connection is flushed in its
// turn, with the others. Tickets of connections that have ended are ignored.
func (l *Loop) Writable(ticket uint64) {
	if c := l.awaiting[ticket]; c != nil {
		l.unblock(c)
		l.markDirty(c)
	}
}

// markDirty adds c to the dirty list, unless it is flushed anyway.
func (l *Loop) markDirty(c *Conn) {
	if c.flags&(flagDirty|flagBlocked) == 0 && c != l.current {
		c.flags |= flagDirty
		l.dirty.push(c)
	}
	l.host.Entered()
}

// SendRemotes posts the batches of this entry to the loops of their connections.
func (l *Loop) SendRemotes() {
	for i, r := range l.remotes {
		l.remotes[i] = nil
		b := r.batch
		r.batch = nil
		r.conn.loop.host.Post(b)
	}
	l.remotes = l.remotes[:0]
}

// Unsent reports whether SendRemotes has something to do.
func (l *Loop) Unsent() bool { return len(l.remotes) > 0 }
