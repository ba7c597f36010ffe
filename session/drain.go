package session

import (
	"math/rand/v2"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

const (
	// drainStep is the time between two steps of a drain: short enough that clients come to the next server evenly, and
	// long enough that a step with nothing to do costs nothing.
	drainStep = 20 * time.Millisecond
	// drainTransportMax bounds how long a drain waits for an upgrade or a POST that has begun. The client loses nothing
	// that the server has accepted when they fail, and a client that never finishes must not hold up the drain.
	drainTransportMax = 5 * time.Second
	// drainBehindMax bounds how long the end of sessions goes behind what is posted meanwhile. A loop that is not busy
	// has nothing waiting within some milliseconds; one that always has must end its sessions all the same.
	drainBehindMax = 200 * time.Millisecond
)

// Refuse refuses new handshakes with 503 from now on. Sessions continue. Safe for concurrent use.
func (e *Engine) Refuse() { e.refusing.Store(true) }

// Drain refuses new handshakes, unless admit is set, and ends all sessions over a time, with ReasonDraining, each after
// what is queued for it is sent. Each shard ends its own sessions, evenly over spread and in random order: idle ones
// first, for which nothing is queued or under way. A session whose turn has come becomes Quiet; a Settler is then
// waited for. The returned channel is closed when all sessions have ended for the application; polling clients may
// still have to fetch their last packets, see Left. With admit, sessions that begin meanwhile are ended like the
// others. Call it once. Close ends the rest at once. Safe for concurrent use.
func (e *Engine) Drain(spread time.Duration, admit bool) (done <-chan struct{}) {
	e.draining.Store(true)
	if !admit {
		e.refusing.Store(true)
	}
	over := make(chan struct{})
	e.onAll(func(sh *Shard, next func()) { sh.drain(spread, next) }, func() { close(over) })
	return over
}

// drain ends the sessions of a shard. Loop-owned.
type drain struct {
	sh    *Shard
	timer wheel.Timer
	begun int64
	// spread is the time over which the turns of all sessions come, of which total is the number and turns the number
	// of those that have come.
	spread       time.Duration
	total, turns int
	// fresh has the sessions that were not looked at, busy those that were not idle.
	fresh, busy []*Session
	// settling has the sessions whose turn has come and that are not settled yet.
	settling []settling
	// ending is the number of sessions that are settled. They end in a task of their own, behind what was posted for
	// them before.
	ending int
	// listed is set when the sessions that were open have their turns. done is nil at the end.
	listed bool
	done   func()
}

// settling is a session whose turn came at that time.
type settling struct {
	s     *Session
	since int64
}

// drain calls done when all sessions of the shard have ended.
func (sh *Shard) drain(spread time.Duration, done func()) {
	d := &drain{sh: sh, spread: spread, done: done, begun: sh.loop.Now()}
	d.timer.Init(d)
	d.fresh = make([]*Session, 0, len(sh.sessions))
	sh.draining = d
	sh.visitAll(lookWork, d.add, func() {
		d.listed = true
		d.step()
	})
}

// add gives a session a turn. One that opens while the sessions are listed may get two, of which the second does
// nothing.
func (d *drain) add(s *Session) {
	d.fresh = append(d.fresh, s)
	d.total++
}

// admit gives a session a turn that opens during the drain.
func (d *drain) admit(s *Session) {
	if d == nil || d.done == nil {
		return
	}
	d.add(s)
	if d.listed && !d.timer.Scheduled() {
		d.sh.loop.Wheel().Schedule(&d.timer, wheel.Deadline(d.sh.loop.Now(), drainStep))
	}
}

// finish ends the drain if nothing is left to do.
func (d *drain) finish() {
	if done := d.done; done != nil && d.ending == 0 && d.turns == d.total && len(d.settling) == 0 {
		d.done = nil
		done()
	}
}

// Expire implements wheel.Expirer.
func (d *drain) Expire(int64) { d.step() }

// step gives the sessions that are due their turn, in this turn of the loop and in later ones. Then it waits for the
// next step.
func (d *drain) step() {
	over := false
	for due := d.due(); d.turns < due && !over; over = d.sh.loop.Spend(lookWork) {
		d.next()
	}
	d.look()
	switch {
	case over:
		d.sh.loop.PostFunc(d.step)
	case d.turns < d.total || len(d.settling) > 0:
		d.sh.loop.Wheel().Schedule(&d.timer, wheel.Deadline(d.sh.loop.Now(), drainStep))
	default:
		d.finish()
	}
}

// due returns the number of sessions whose turn should have come by now. The first turn comes at once.
func (d *drain) due() int {
	passed := time.Duration(d.sh.loop.Now() - d.begun)
	if passed >= d.spread {
		return d.total
	}
	return min(d.total, 1+int(float64(d.total)*float64(passed)/float64(d.spread)))
}

// next takes a random session: one that was not looked at, as long as there are any, else a busy one.
func (d *drain) next() {
	if len(d.fresh) == 0 {
		d.turn(pick(&d.busy))
		return
	}
	if s := pick(&d.fresh); s.idle() || !s.hears() {
		d.turn(s)
	} else {
		d.busy = append(d.busy, s)
	}
}

// pick removes a random element.
func pick(from *[]*Session) *Session {
	list := *from
	i, last := rand.IntN(len(list)), len(list)-1
	s := list[i]
	list[i], list[last] = list[last], nil
	*from = list[:last]
	return s
}

// turn begins the end of a session, unless it has ended by itself.
func (d *drain) turn(s *Session) {
	d.turns++
	if s.hears() {
		s.kind.Or(kindQuiet)
		d.settling = append(d.settling, settling{s, d.sh.loop.Now()})
	}
}

// look has the sessions end that are settled.
func (d *drain) look() {
	now, rest := d.sh.loop.Now(), d.settling[:0]
	var settled []*Session
	for _, w := range d.settling {
		switch {
		case !w.s.hears():
		case w.s.settled(now - w.since):
			settled = append(settled, w.s)
		default:
			rest = append(rest, w)
		}
	}
	clear(d.settling[len(rest):])
	d.settling = rest
	if d.ending += len(settled); len(settled) > 0 {
		d.endBehind(settled)
	}
}

// endBehind ends sessions behind everything that is posted: what their handlers had sent, and packets of others, which
// may have been counted already as sent to them.
func (d *drain) endBehind(settled []*Session) {
	since := d.sh.loop.Now()
	var end func()
	end = func() {
		if !d.sh.loop.Idle() && d.sh.loop.Now()-since < int64(drainBehindMax) {
			d.sh.loop.PostFunc(end)
			return
		}
		d.end(settled)
	}
	d.sh.loop.PostFunc(end)
}

// end ends sessions, in as many turns as necessary.
func (d *drain) end(settled []*Session) {
	over := false
	defer func() {
		if len(settled) > 0 { // also behind a panic
			d.endBehind(settled)
			return
		}
		d.finish()
	}()
	for ; len(settled) > 0 && !over; over = d.sh.loop.Spend(closeWork) {
		s := settled[0]
		settled = settled[1:]
		d.ending--
		s.closeNow(ReasonDraining)
	}
}

// idle reports whether nothing is queued or under way for the session.
func (s *Session) idle() bool {
	if !s.settled(0) {
		return false
	}
	if s.ws != nil {
		return s.ws.out().QueuedBytes() == 0
	}
	return len(s.poll.queue) == 0
}

// settled reports whether nothing is under way for a session whose turn came so many nanoseconds ago.
func (s *Session) settled(since int64) bool {
	if s.poll != nil && (s.upgrade() != nil || s.poll.post.x != nil) && since < int64(drainTransportMax) {
		return false
	}
	c, ok := s.client.(Settler)
	return !ok || c.Settled()
}
