package session

import (
	"sync"
	"sync/atomic"
)

// This file closes a whole engine. The steps, in order: StopIntake; the application answers the messages it was given;
// Close; the application waits until Left reports that nothing is left.

// StopIntake refuses new handshakes with 503 and discards messages of clients from now on. The returned channel is
// closed when every message that was read from a connection before has reached its Client, and no other message will.
// Heartbeats, polling and upgrades continue, so what the application still sends arrives. Safe for concurrent use.
func (e *Engine) StopIntake() (stopped <-chan struct{}) {
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
	e.closing.Store(true)
	e.onAll(func(sh *Shard, _ func()) { sh.closeAll(reason) }, nil)
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
		defer next()
		var l Left
		for _, s := range sh.sessions {
			l.Sessions++
			if s.poll != nil && len(s.poll.queue) > 0 {
				l.Unfetched++
				l.Packets += len(s.poll.queue)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		sum.Sessions += l.Sessions
		sum.Unfetched += l.Unfetched
		sum.Packets += l.Packets
	}, func() { report(sum) })
}

// closeAll ends the sessions of the shard, in as many turns as necessary.
func (sh *Shard) closeAll(reason Reason) {
	all := make([]*Session, 0, len(sh.sessions))
	for _, s := range sh.sessions {
		all = append(all, s)
	}
	sh.closeEach(all, reason)
}

// closeWork is the estimated work of ending a session, in nanoseconds.
const closeWork = 5000

// closeEach closes sessions until the turn is over. Another task closes the rest, also if ending one of them panics.
func (sh *Shard) closeEach(all []*Session, reason Reason) {
	done := 0
	defer func() {
		if rest := all[done:]; len(rest) > 0 {
			sh.loop.PostFunc(func() { sh.closeEach(rest, reason) })
		}
	}()
	for over := false; done < len(all) && !over; over = sh.loop.Spend(closeWork) {
		s := all[done]
		done++
		s.closeNow(reason)
	}
}

// closeNow is Close in a task of the session's own.
func (s *Session) closeNow(reason Reason) {
	defer s.EndOnPanic()
	s.Close(reason)
}
