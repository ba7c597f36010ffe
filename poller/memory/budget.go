package memory

import (
	"cmp"
	"errors"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrOverBudget closes a connection that held much when all clients together had passed the limit.
var ErrOverBudget = errors.New("memory: the clients hold more than the budget")

const (
	// steps is the number of comparisons with the limit while the sum grows from zero to there.
	steps   = 64
	stepMin = 4 << 10
	// surveyMax bounds the holders that a survey or a cut looks at. If there are more, it takes as many at random.
	surveyMax = 4096
	// cutsMax bounds the clients that one task of a loop ends, because each leaves rooms and calls handlers.
	cutsMax = 32
)

// Budget limits what the clients of some event loops hold together. Safe for concurrent use, except that Join must come
// before the loops serve clients.
type Budget struct {
	limit, step int64
	ledgers     []*Ledger
	report      func(Report)
	evicted     atomic.Int64
	// over is set while the latest comparison found too much.
	over   atomic.Bool
	active atomic.Bool
	round  round
}

// Report describes a finished round. A plain value.
type Report struct {
	// Held is the sum in bytes when the round began; Limit is the budget's limit.
	Held, Limit int64
	// Evicted is the number of clients that the round has ended, and Largest the number of bytes that the largest of
	// them held.
	Evicted, Largest int64
}

// round is the state of the round that runs, if one does.
type round struct {
	mu      sync.Mutex
	waiting int                      // guarded by mu: loops that have not finished the step
	classes [bits.UintSize + 1]int64 // guarded by mu: bytes of holders, by the length of their number
	report  Report                   // guarded by mu
}

// NewBudget returns a budget with a limit in bytes, which must be positive. report, when not nil, is called on a loop
// after each round that has ended clients, and must not block.
func NewBudget(limit int64, report func(Report)) *Budget {
	return &Budget{limit: limit, report: report}
}

// Join adds the ledger of a loop. post runs a function on the loop.
func (b *Budget) Join(l *Ledger, post func(fn func())) {
	l.budget, l.post = b, post
	l.frames, l.listed = make(map[*byte]entry), make(map[Holder]struct{})
	b.ledgers = append(b.ledgers, l)
	b.step = max(b.limit/steps/int64(len(b.ledgers)), stepMin)
}

// Limit returns the limit in bytes.
func (b *Budget) Limit() int64 { return b.limit }

// Held returns how many bytes the clients hold.
func (b *Budget) Held() int64 {
	var sum int64
	for _, l := range b.ledgers {
		sum += l.held.Load()
	}
	return sum
}

// Evicted returns the number of holders that were ended.
func (b *Budget) Evicted() int64 { return b.evicted.Load() }

// target is what a round leaves at most. It is below the limit, so that rounds do not follow each other at once.
func (b *Budget) target() int64 { return b.limit - b.limit/8 }

// check begins a round if too much is held.
func (b *Budget) check() {
	held := b.Held()
	if over := held > b.limit; over != b.over.Load() {
		b.over.Store(over)
	}
	if held <= b.limit || b.active.Swap(true) {
		return
	}
	b.round.begin(Report{Held: held, Limit: b.limit}, len(b.ledgers))
	for _, l := range b.ledgers {
		l.post(l.survey)
	}
}

func (r *round) begin(report Report, loops int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting, r.report = loops, report
	clear(r.classes[:])
}

// survey adds up what the holders of a loop hold.
func (l *Ledger) survey() {
	var classes [bits.UintSize + 1]int64
	seen := 0
	all := len(l.listed)
	for h := range l.listed {
		n := h.Held()
		classes[class(n)] += int64(n)
		if seen++; seen == surveyMax {
			break
		}
	}
	if all > seen {
		for i := range classes {
			classes[i] = classes[i] / int64(seen) * int64(all)
		}
	}
	if l.budget.round.add(&classes) {
		l.budget.decide()
	}
}

// class returns the number of bits of n. The numbers of a class differ by less than a factor of two.
func class(n int) int { return bits.Len(uint(max(n, 0))) }

// add adds the sums of one loop and reports whether they were the last ones.
func (r *round) add(classes *[bits.UintSize + 1]int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, n := range classes {
		r.classes[i] += n
	}
	r.waiting--
	return r.waiting == 0
}

// decide ends the survey and begins the cut, or ends the round if nothing needs to be cut.
func (b *Budget) decide() {
	held := b.Held()
	r := &b.round
	r.mu.Lock()
	threshold := r.threshold(held, held-b.target())
	r.waiting = len(b.ledgers)
	r.mu.Unlock()
	if held <= b.limit || threshold == 0 {
		b.finish(false)
		return
	}
	for _, l := range b.ledgers {
		l.post(func() { l.cut(threshold) })
	}
}

// threshold returns the least number of bytes of the holders to end, so that excess bytes become free. It returns 0 if
// none must end. Called with mu held.
func (r *round) threshold(held, excess int64) int {
	var stuck int64
	for _, n := range r.classes {
		stuck += n
	}
	if stuck < held/2 {
		return 0
	}
	for i := len(r.classes) - 1; i > 0; i-- {
		if excess -= r.classes[i]; excess <= 0 || i <= class(ListMin) {
			return 1 << (i - 1)
		}
	}
	return 0
}

// victim is a holder that may be ended, and what it holds.
type victim struct {
	holder Holder
	held   int
}

// cut ends the holders of the loop that reach the threshold, the largest first.
func (l *Ledger) cut(threshold int) {
	var victims []victim
	seen := 0
	for h := range l.listed {
		if n := h.Held(); n >= threshold {
			victims = append(victims, victim{h, n})
		}
		if seen++; seen == surveyMax {
			break
		}
	}
	slices.SortFunc(victims, func(a, b victim) int { return cmp.Compare(a.held, b.held) })
	l.cutSome(victims, threshold)
}

// cutSome ends some of the victims, from the last one on, and posts itself for the others.
func (l *Ledger) cutSome(victims []victim, threshold int) {
	b := l.budget
	start, freed := b.Held(), int64(0)
	for range cutsMax {
		if len(victims) == 0 || min(b.Held(), start-freed) <= b.target() {
			b.cutDone()
			return
		}
		h := victims[len(victims)-1].holder
		victims = victims[:len(victims)-1]
		n := h.Held() // it may have become less meanwhile
		if n < threshold {
			continue
		}
		freed += int64(n)
		b.evicted.Add(1)
		b.round.evicted(int64(n))
		l.Unlist(h)
		h.Evict()
	}
	l.post(func() { l.cutSome(victims, threshold) })
}

func (r *round) evicted(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Evicted++
	r.report.Largest = max(r.report.Largest, n)
}

// cutDone notes that a loop has finished its cut.
func (b *Budget) cutDone() {
	b.round.mu.Lock()
	b.round.waiting--
	last := b.round.waiting == 0
	b.round.mu.Unlock()
	if last {
		b.finish(true)
	}
}

// finish ends the round and begins another one if this one was not enough.
func (b *Budget) finish(cut bool) {
	b.round.mu.Lock()
	report := b.round.report
	b.round.mu.Unlock()
	b.active.Store(false)
	if !cut || report.Evicted == 0 {
		return
	}
	if b.report != nil {
		b.report(report)
	}
	b.check()
}
