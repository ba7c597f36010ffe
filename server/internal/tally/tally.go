package tally

import (
	"sync/atomic"

	"github.com/seed58c87869/siren/session"
)

// Tally counts for a server. Immutable; what it points to has owners of its own.
type Tally struct {
	loops []Loop
	// Dynamic counts for the namespaces that clients have named, of which there may be very many, and Unknown the
	// clients that asked for a namespace which does not exist.
	Dynamic, Unknown *Space
}

// New returns a Tally for so many loops.
func New(loops int) *Tally {
	t := &Tally{loops: make([]Loop, loops), Dynamic: NewSpace(loops), Unknown: NewSpace(loops)}
	t.Dynamic.shared = true
	return t
}

// Loop returns what counts for a loop.
func (t *Tally) Loop(i int) *Loop { return &t.loops[i] }

// Space returns what counts for a new namespace; child tells that a client has named it.
func (t *Tally) Space(child bool) *Space {
	if child {
		return t.Dynamic
	}
	return NewSpace(len(t.loops))
}

// Loop has the numbers of one event loop. Loop-owned, unless a method says otherwise.
type Loop struct {
	connects    uint64
	ended       session.ReasonCounts
	recipients  buckets
	lags        buckets
	ackTimeouts atomic.Uint64
	// probed is the latest probe's result. Stored by the loop, safe for concurrent use.
	probed atomic.Pointer[LoopStats]
	lag    lagState
	_      [64]byte // a cache line of its own
}

// Connected counts a socket that was connected to its namespace.
func (t *Tally) Connected(loop int, s *Space) {
	t.loops[loop].connects++
	s.Connect(loop, Connected)
}

// Disconnected counts a connected socket that has ended.
func (l *Loop) Disconnected(r session.Reason) { l.ended[r]++ }

// Broadcast counts an event to so many sockets of a namespace. One of the loops that deliver it counts it.
func (t *Tally) Broadcast(loop int, s *Space, recipients int) {
	t.loops[loop].recipients.observe(recipientScale, int64(recipients))
	s.loops[loop].broadcasts.Add(1)
}

// AcksMissed counts acknowledgements that did not come in time. Safe for concurrent use.
func (l *Loop) AcksMissed(n int) { l.ackTimeouts.Add(uint64(n)) }
