package session

import (
	"sync"
	"sync/atomic"
)

// This file is the ending of a whole engine. Its steps, in order, are StopIntake; then the application answers what it was
// given; then Close; then the application waits until Left has nothing more to wait for.

// StopIntake refuses new handshakes with 503 and discards messages of clients from now on. The channel is closed when
// every message that was read from a connection before has reached its Client, and no other one will. Heartbeats,
// polling and upgrades go on, so what the application still sends arrives. Safe for concurrent use.
func (e *Engine) StopIntake() (stopped <-chan struct{}) {
	e.closing.Store(true)
	done := make(chan struct{})
	// A message may have been read and wait for a later turn, or be on its way to another loop: the second round is posted
	// behind it.
	e.onAll(func(sh *Shard, next func()) { sh.loop.AfterHeld(next) }, func() {
		e.onAll(func(sh *Shard, next func()) { sh.deaf = true; next() }, func() { close(done) })
	})
	return done
}

// onAll runs fn on each shard, and last when all of them have called next.
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

// Close ends every session with the reason, after what is queued for them; new handshakes are refused with 503 from
// now on. It returns at once; each shard works it off in its turn. Safe for concurrent use.
func (e *Engine) Close(reason Reason) {
	if e.ended.Swap(true) {
		return
	}
	e.closing.Store(true)
	e.onAll(func(sh *Shard, _ func()) { sh.closeAll(reason) }, nil)
}

// Left is what an engine that was closed still waits for. A plain value.
type Left struct {
	// Sessions is how many polling sessions have not told their clients that they are over.
	Sessions int
	// Unfetched is how many of these have packets to fetch, and Packets how many packets that are.
	Unfetched, Packets int
}

// Left asks the loops what is left, and gives the answer to report, on one of them. Safe for concurrent use.
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

// closeAll ends the sessions of the shard, in as many turns as it takes.
func (sh *Shard) closeAll(reason Reason) {
	all := make([]*Session, 0, len(sh.sessions))
	for _, s := range sh.sessions {
		all = append(all, s)
	}
	sh.closeEach(all, reason)
}

// closeWork is what the end of a session costs, in nanoseconds.
const closeWork = 5000

// closeEach closes sessions until the turn is over. Another task closes the others, also when the end of one panics.
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
