package session

import (
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/eio"
)

// This file closes a whole engine. The steps, in order: perhaps Drain; StopIntake; the application answers the messages
// it was given; Close; the application waits until Left reports that nothing is left.

// StopIntake refuses new handshakes with 503 and discards messages of clients from now on. The returned channel is
// closed when every message that was read from a connection before has reached its Client, and no other message will.
// Heartbeats, polling and upgrades continue, so what the application still sends arrives. Safe for concurrent use.
func (e *Engine) StopIntake() (stopped <-chan struct{}) {
	e.refusing.Store(true)
	e.closing.Store(true)
	done := make(chan struct{})
	// A message that was read may wait for a later turn, or be on its way to another loop: the second round is posted
	// after it.
	e.onAll(func(sh *Shard, next func()) { sh.loop.AfterHeld(next) }, func() {
		e.onAll(func(sh *Shard, next func()) { sh.deaf = true; next() }, func() { close(done) })
	})
	return done
}

// onAll runs fn on each shard, and last after all of them have called next.
func (e *Engine) onAll(fn func(sh *Shard, next func()), last func()) {
	var left atomic.Int64
	left.Store(int64(len(e.shards)))
	next := func() {
		if left.Add(-1) == 0 {
			last()
		}
	}
	for _, sh := range e.shards {
		sh.loop.PostFunc(func() { fn(sh, next) })
	}
}

// Close ends every session with the reason, after sending what is queued for it. New handshakes are refused with 503
// from now on. Close returns at once; each shard closes its sessions in its turns. Safe for concurrent use.
func (e *Engine) Close(reason Reason) {
	if e.ended.Swap(true) {
		return
	}
	e.refusing.Store(true)
	e.closing.Store(true)
	e.onAll(func(sh *Shard, _ func()) { sh.closeAll(reason) }, nil)
}

// closeAll ends the sessions of the shard.
func (sh *Shard) closeAll(reason Reason) {
	sh.visitAll(closeWork, func(s *Session) { s.closeNow(reason) }, func() {})
}

// Left is what a closed engine still waits for. A plain value.
type Left struct {
	// Sessions is the number of polling sessions whose clients have not been told of the end.
	Sessions int
	// Unfetched is the number of these sessions with packets to fetch, and Packets the number of those packets.
	Unfetched, Packets int
}

// Left counts what is left on all loops and calls report with the result, on one of the loops. Safe for concurrent use.
func (e *Engine) Left(report func(l Left)) {
	var mu sync.Mutex
	var sum Left
	e.onAll(func(sh *Shard, next func()) {
		var l Left
		sh.visitAll(lookWork, l.add, func() {
			mu.Lock()
			sum.Sessions += l.Sessions
			sum.Unfetched += l.Unfetched
			sum.Packets += l.Packets
			mu.Unlock()
			next()
		})
	}, func() { report(sum) })
}

// add counts a session.
func (l *Left) add(s *Session) {
	l.Sessions++
	if n := s.unfetched(); n > 0 {
		l.Unfetched++
		l.Packets += n
	}
}

// unfetched returns the number of packets that a polling client has to fetch. Pings do not count, nor does what an
// Expendable client has to fetch: a client that stays away loses nothing with them.
func (s *Session) unfetched() (packets int) {
	if s.poll == nil || s.expendable() {
		return 0
	}
	for _, f := range s.poll.queue {
		if f != eio.PingFrame && f != eio.PongFrame {
			packets++
		}
	}
	return packets
}

const (
	// closeWork is the estimated work of ending a session, in nanoseconds, and lookWork that of looking at one.
	closeWork = 5000
	lookWork  = 100
)

// visitAll calls visit for each session of the shard, and done at the end, in as many turns as necessary; work is the
// estimated work of one visit. A session that opens or ends meanwhile may be left out.
func (sh *Shard) visitAll(work int, visit func(s *Session), done func()) {
	// The iterator of package reflect can stop between two sessions, and nobody has to end it. A list of all sessions
	// would take a turn of its own, or memory in each session.
	all := reflect.ValueOf(sh.sessions).MapRange()
	sh.visitSome(all, work, visit, done)
}

// visitSome visits sessions until the turn is over. Another task goes on with the others, also if a visit panics.
func (sh *Shard) visitSome(all *reflect.MapIter, work int, visit func(s *Session), done func()) {
	over, ended := false, false
	defer func() {
		if ended {
			done()
		} else {
			sh.loop.PostFunc(func() { sh.visitSome(all, work, visit, done) })
		}
	}()
	for ; !over; over = sh.loop.Spend(work) {
		if ended = !all.Next(); ended {
			return
		}
		visit(all.Value().Interface().(*Session))
	}
}

// closeNow is Close in a task of the session's own.
func (s *Session) closeNow(reason Reason) {
	defer s.EndOnPanic()
	s.Close(reason)
}
