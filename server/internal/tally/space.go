package tally

import (
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/server/internal/refusal"
)

// Result says how an attempt to connect to a namespace ended.
type Result uint8

// The results.
const (
	// Connected: the socket is connected.
	Connected Result = iota
	// Refused: the server refused it by itself: there is no such namespace, or a limit was reached.
	Refused
	// Denied: a middleware or a connect handler refused the client.
	Denied
	// Failed: a middleware or a connect handler failed.
	Failed
	results
)

// ResultOf returns how a connect ends that is refused with that error: denied by a decision, or failed.
func ResultOf(err error) Result {
	if r, ok := refusal.As(err); ok && r.Cause == nil {
		return Denied
	}
	return Failed
}

// sampleEvery is how many events of a namespace on a loop come to one whose handlers are timed, the first one among
// them. Timing takes as long as a good part of a small handler.
const sampleEvery = 32

// Space counts what happens in one namespace, or in several that are counted together. Safe for concurrent use, except
// where a method says otherwise.
type Space struct {
	loops []spaceLoop
	// shared tells that it counts for several namespaces. Immutable.
	shared bool
}

// spaceLoop is the part of one event loop, the only writer of the first two fields.
type spaceLoop struct {
	broadcasts atomic.Uint64
	connects   [results]atomic.Uint64
	events     uint32 // loop-owned
	handlers   sharedBuckets
	_          [56]byte // keeps the next loop's numbers on other cache lines
}

// NewSpace returns a Space for so many loops.
func NewSpace(loops int) *Space { return &Space{loops: make([]spaceLoop, loops)} }

// Connect counts an attempt to connect. Loop-only.
func (s *Space) Connect(loop int, r Result) { s.loops[loop].connects[r].Add(1) }

// Sample reports whether the handlers of the next event are to be timed. Loop-only.
func (s *Space) Sample(loop int) bool {
	l := &s.loops[loop]
	l.events++
	return l.events%sampleEvery == 1
}

// Took counts the time that a handler of a socket of the loop took since it began.
func (s *Space) Took(loop int, began time.Time) {
	s.loops[loop].handlers.observe(handlerScale, int64(time.Since(began)))
}

// SpaceStats are the numbers of a namespace since the start. Immutable.
type SpaceStats struct {
	// Broadcasts counts events to many sockets.
	Broadcasts uint64
	// Connected counts sockets that were connected. Refused counts clients that the server refused by itself, because
	// there is no such namespace or a limit was reached, Denied those that a middleware or a connect handler refused,
	// and Failed those for whom one failed.
	Connected, Refused, Denied, Failed uint64
	// Handlers are the times that handlers of events took, in seconds, of one event in 32.
	Handlers Histogram
}

// Stats returns the numbers.
func (s *Space) Stats() (sum SpaceStats) {
	for i := range s.loops {
		l := &s.loops[i]
		sum.Broadcasts += l.broadcasts.Load()
		sum.Connected += l.connects[Connected].Load()
		sum.Refused += l.connects[Refused].Load()
		sum.Denied += l.connects[Denied].Load()
		sum.Failed += l.connects[Failed].Load()
		l.handlers.addTo(&sum.Handlers, handlerScale)
	}
	return sum
}
