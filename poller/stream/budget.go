package stream

import "time"

const (
	// DefaultTurnTime is the usual Limits.TurnTime. An answer waits for two or three turns. Shorter turns cost
	// throughput, because the loop looks at its sockets between two of them.
	DefaultTurnTime = 250 * time.Microsecond
	// EntryWork is the work that every entry may do even when the turn's budget is used up. So the few small messages
	// of an honest client are handled at once, whatever other clients send.
	EntryWork = int(20 * time.Microsecond)
	// clockWork is the work between two looks at the clock in Spend. A look takes about 50 ns.
	clockWork = int(20 * time.Microsecond)
)

// budget bounds the work of one turn of a loop. A turn is everything between two Renews: the input of one pass over the
// sockets, or one run of the mailbox or the timers. Loop-owned.
type budget struct {
	work  int   // spent since Renew
	entry int   // spent by the running entry
	look  int   // Spend looks at the clock when work reaches it
	time  int64 // measured since Renew
	mark  int64 // the clock when time was measured last
	over  bool
}

// Spend charges work, an estimate in nanoseconds, to the running turn. It reports whether the entry must stop and leave
// the rest of its work to a later turn, because the turn's budget and EntryWork are used up.
func (l *Loop) Spend(work int) (over bool) {
	b := &l.budget
	b.work += work
	b.entry += work
	if !b.over && b.work >= b.look {
		l.lookAtClock()
	}
	return b.over && b.entry >= EntryWork
}

func (l *Loop) lookAtClock() {
	b := &l.budget
	now := l.host.Clock()
	b.time += now - b.mark
	b.mark = now
	b.look = b.work + clockWork
	b.over = b.work >= int(l.limits.TurnTime) || b.time >= int64(l.limits.TurnTime)
}

// Overspent reports whether the budget is used up, so that entries do no more than EntryWork until Renew.
func (l *Loop) Overspent() bool { return l.budget.over }

// Spent returns the work charged since Renew, in nanoseconds.
func (l *Loop) Spent() int { return l.budget.work }

// Renew begins a turn with a whole budget. SetNow must have been called with the present time.
func (l *Loop) Renew() { l.budget = budget{look: clockWork, mark: l.now} }

// Enter begins an entry. Time between entries is not charged. The entry begins at Now, or at the latest look at the
// clock if that was later.
func (l *Loop) Enter() { l.budget.entry, l.budget.mark = 0, max(l.budget.mark, l.now) }

// timerWork is the estimated minimum work of a timer: most of them send something.
const timerWork = int(2 * time.Microsecond)

// Expire fires timers that are due by Now until the turn's budget is used up, and returns how many it fired. Due
// reports whether some are left for a later turn; the order in which they fire stays the same.
func (l *Loop) Expire() (fired int) { return l.wheel.AdvanceWhile(l.now, l.timersGoOn) }

// Due reports whether Expire has work to do.
func (l *Loop) Due() bool {
	when, ok := l.wheel.Next()
	return ok && when <= l.now
}
