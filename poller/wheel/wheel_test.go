package wheel_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"
	"unsafe"

	"github.com/seed58c87869/siren/poller/wheel"
)

const ms = int64(time.Millisecond)

// probe records its expiries and may act in them.
type probe struct {
	wheel.Timer
	fired []int64
	act   func(p *probe, now int64)
}

func (p *probe) Expire(now int64) {
	p.fired = append(p.fired, now)
	if p.act != nil {
		p.act(p, now)
	}
}

func newProbe(act func(p *probe, now int64)) *probe {
	p := &probe{act: act}
	p.Init(p)
	return p
}

func TestTimerIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(wheel.Timer{}); size > 48 {
		t.Fatalf("Timer has %d bytes, the limit is 48", size)
	}
}

func TestFiresNeverEarlyAndAtMostOneResolutionLate(t *testing.T) {
	res := 10 * ms
	for _, when := range []int64{1, res - 1, res, res + 1, 63 * res, 64 * res, 64*res + 1, 4095 * res, 4096 * res, 4097*res - 3, 25_000 * ms, 3_600_000 * ms, 365 * 24 * 3_600_000 * ms} {
		w := wheel.New(10*time.Millisecond, 0)
		p := newProbe(nil)
		w.Schedule(&p.Timer, when)
		steps := 0
		for len(p.fired) == 0 {
			next, ok := w.Next()
			if !ok {
				t.Fatalf("when %d: Next says nothing is scheduled", when)
			}
			if n := w.Advance(next - 1); n != 0 {
				t.Fatalf("when %d: fired before Next's time", when)
			}
			w.Advance(next)
			if steps++; steps > 12 {
				t.Fatalf("when %d: not fired after %d steps", when, steps)
			}
		}
		if late := p.fired[0] - when; late < 0 || late >= res {
			t.Errorf("when %d: fired %d ns after the deadline", when, late)
		}
		if w.Len() != 0 || p.Scheduled() || p.When() != when {
			t.Errorf("when %d: len %d, scheduled %v, When %d", when, w.Len(), p.Scheduled(), p.When())
		}
	}
}

func TestPastAndExtremeDeadlines(t *testing.T) {
	w := wheel.New(time.Millisecond, 500*ms)
	for _, when := range []int64{math.MinInt64, -1, 0, 3, 500 * ms} {
		p := newProbe(nil)
		w.Schedule(&p.Timer, when)
		next, ok := w.Next()
		now := p.When()
		if w.Advance(next) != 1 || !ok || len(p.fired) != 1 {
			t.Fatalf("deadline %d: not fired at the next tick", now)
		}
	}
	far := newProbe(nil)
	w.Schedule(&far.Timer, math.MaxInt64)
	if w.Advance(math.MaxInt64/2) != 0 || !far.Scheduled() {
		t.Fatal("a deadline at the end of time fired early")
	}
	w.Cancel(&far.Timer)
	w.Cancel(&far.Timer) // idempotent
	if _, ok := w.Next(); ok || w.Len() != 0 {
		t.Fatal("the wheel is not empty after Cancel")
	}
	var zero wheel.Timer // without Init it must not panic either
	w.Schedule(&zero, 0)
	next, _ := w.Next()
	if w.Advance(next) != 1 {
		t.Fatal("a timer without Expirer was not removed")
	}
}

func TestDeadlineSaturates(t *testing.T) {
	const never = time.Duration(math.MaxInt64)
	for _, c := range []struct {
		now  int64
		d    time.Duration
		want int64
	}{
		{5, 7, 12}, {5, -7, -2}, {-5, 7, 2}, {0, never, wheel.Never}, {1, never, wheel.Never}, {1, never - 1, wheel.Never},
		{1, never - 2, math.MaxInt64 - 1}, {math.MaxInt64, never, wheel.Never}, {math.MaxInt64, -1, math.MaxInt64 - 1},
		{-1, never, math.MaxInt64 - 1}, {0, math.MinInt64, math.MinInt64},
	} {
		if got := wheel.Deadline(c.now, c.d); got != c.want {
			t.Errorf("Deadline(%d, %d) = %d, want %d", c.now, c.d, got, c.want)
		}
	}
}

// A timer that never fires stays in the wheel and does not make the loop wake up more often than another far timer.
func TestNever(t *testing.T) {
	for _, res := range []time.Duration{1, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
		w := wheel.New(res, 1)
		p := newProbe(nil)
		w.Schedule(&p.Timer, wheel.Never)
		looks := 0
		for now := int64(1); now < math.MaxInt64/2; looks++ {
			if w.Advance(now) != 0 || !p.Scheduled() {
				t.Fatalf("resolution %v: fired at %d", res, now)
			}
			next, ok := w.Next()
			if !ok || next <= now {
				t.Fatalf("resolution %v: Next at %d is %d, %v", res, now, next, ok)
			}
			now = next
		}
		if looks > 11 {
			t.Errorf("resolution %v: %d looks", res, looks)
		}
	}
}

func TestRescheduleMoves(t *testing.T) {
	w := wheel.New(time.Millisecond, 0)
	p := newProbe(nil)
	w.Schedule(&p.Timer, 5*ms)
	w.Schedule(&p.Timer, 700*ms)
	if w.Len() != 1 || w.Advance(699*ms) != 0 || w.Advance(700*ms) != 1 {
		t.Fatal("a moved timer fired at its old deadline or not at its new one")
	}
}

func TestOrderWithinATickIsFIFO(t *testing.T) {
	w := wheel.New(time.Millisecond, 0)
	var got []int
	for i := range 100 {
		p := newProbe(func(*probe, int64) { got = append(got, i) })
		w.Schedule(&p.Timer, 90*ms) // level 1 first, then moved to level 0
	}
	w.Advance(100 * ms)
	if !sort.IntsAreSorted(got) || len(got) != 100 {
		t.Fatalf("fired in order %v", got)
	}
}

func TestExpireMayScheduleAndCancel(t *testing.T) {
	w := wheel.New(time.Millisecond, 0)
	victim := newProbe(nil)
	other := newProbe(nil)
	self := newProbe(func(p *probe, now int64) {
		w.Cancel(&victim.Timer)                   // due in the same tick, behind this one
		w.Schedule(&other.Timer, now+3*ms)        // moved
		w.Schedule(&p.Timer, 0)                   // itself, in the past: the next tick, not this Advance
		if n := w.Advance(now + 100*ms); n != 0 { // not re-entrant
			t.Errorf("a nested Advance fired %d", n)
		}
	})
	w.Schedule(&self.Timer, 10*ms)
	w.Schedule(&victim.Timer, 10*ms)
	w.Schedule(&other.Timer, 10*ms)
	if n := w.Advance(10 * ms); n != 1 || len(victim.fired) != 0 || len(other.fired) != 0 || w.Len() != 2 {
		t.Fatalf("fired %d, len %d, victim %v, other %v", n, w.Len(), victim.fired, other.fired)
	}
	// A clock that jumps far ahead must not make the self-scheduling timer run once per missed tick.
	if n := w.Advance(3_600_000 * ms); n != 1 {
		t.Fatalf("fired %d after the jump, want 1: it moves the other one behind the jump", n)
	}
}

// What an Expire schedules for a time that the running Advance covers fires at the tick behind it, whatever part of the
// Advance is still to come.
func TestScheduledWithinAdvanceFiresAfterIt(t *testing.T) {
	const end = 200 // so far that timers move between levels on the way
	for when := int64(-1); when <= end; when++ {
		w := wheel.New(time.Millisecond, 0)
		late := newProbe(nil)
		first := newProbe(func(*probe, int64) { w.Schedule(&late.Timer, when*ms) })
		last := newProbe(nil)
		w.Schedule(&first.Timer, 5*ms)
		w.Schedule(&last.Timer, end*ms)
		if n := w.Advance(end * ms); n != 2 || len(late.fired) != 0 || len(last.fired) != 1 || !late.Scheduled() {
			t.Fatalf("for %d ms: %d fired within Advance(%d ms)", when, n, end)
		}
		if next, ok := w.Next(); !ok || next != (end+1)*ms {
			t.Fatalf("for %d ms: Next = %d, %v", when, next, ok)
		}
		if w.Advance((end+1)*ms) != 1 || len(late.fired) != 1 || w.Len() != 0 {
			t.Fatalf("for %d ms: not fired at the next tick", when)
		}
	}
}

func TestPanicInExpireLeavesTheRest(t *testing.T) {
	w := wheel.New(time.Millisecond, 0)
	bad := newProbe(func(*probe, int64) { panic("on purpose") })
	good := newProbe(nil)
	w.Schedule(&bad.Timer, 5*ms)
	w.Schedule(&good.Timer, 5*ms)
	func() {
		defer func() { _ = recover() }()
		w.Advance(5 * ms)
		t.Error("the panic was swallowed")
	}()
	if when, ok := w.Next(); !ok || when > 5*ms {
		t.Fatalf("Next = %d, %v: the rest is forgotten", when, ok)
	}
	if w.Advance(5*ms) != 1 || len(good.fired) != 1 || w.Len() != 0 {
		t.Fatal("the timer behind the panic did not fire")
	}
}

// TestAdvanceStopsAndGoesOn fires the same timers in steps of any size, in the order of their deadlines and, within a
// tick, in the order in which they were scheduled. Some lie in coarse slots, which are moved in steps too.
func TestAdvanceStopsAndGoesOn(t *testing.T) {
	for _, budget := range []int{1, 2, 7, 1000, 1 << 20} {
		w := wheel.New(time.Millisecond, 0)
		var got, want []int
		const ticks, each = 3, 700
		for i := range ticks * each {
			tick := i % ticks // interleaved
			p := newProbe(func(*probe, int64) { got = append(got, tick*each+i/ticks) })
			w.Schedule(&p.Timer, int64(5000+tick)*ms) // three levels up
			want = append(want, i)
		}
		late := newProbe(nil)
		turns := 0
		for now := 6000 * ms; ; turns++ {
			if next, ok := w.Next(); !ok || next > now {
				break
			}
			left := budget
			asked := 0
			before := len(got)
			w.AdvanceWhile(now, func() bool { left--; asked++; return left >= 0 })
			if fired := len(got) - before; fired > budget || asked > budget+1 {
				t.Fatalf("budget %d: fired %d, asked %d times", budget, fired, asked)
			}
			if turns == 1 {
				w.Schedule(&late.Timer, 5001*ms) // between two steps, for a tick that may not have come yet
			}
			if turns > 4*ticks*each {
				t.Fatalf("budget %d: no end", budget)
			}
		}
		if !slices.Equal(got, want) || w.Len() != 0 || turns > 1 && len(late.fired) != 1 {
			t.Fatalf("budget %d: %d of %d fired, in order %v, %d are left", budget, len(got), len(want), slices.IsSorted(got), w.Len())
		}
		if least := len(want) / budget; turns < least {
			t.Fatalf("budget %d: %d turns, at least %d", budget, turns, least)
		}
	}
}

// TestLateTimersKeepTheirTick: a timer that an Expire schedules for a time that a stopped Advance has not reached fires
// in order with the others.
func TestLateTimersKeepTheirTick(t *testing.T) {
	w := wheel.New(time.Millisecond, 0)
	var got []string
	note := func(name string) *probe {
		return newProbe(func(*probe, int64) { got = append(got, name) })
	}
	second, third, made := note("second"), note("third"), note("made")
	first := newProbe(func(*probe, int64) {
		got = append(got, "first")
		w.Schedule(&made.Timer, 9*ms)
	})
	w.Schedule(&first.Timer, 5*ms)
	w.Schedule(&second.Timer, 6*ms)
	w.Schedule(&third.Timer, 8*ms)
	w.AdvanceWhile(9*ms, func() bool { return len(got) < 1 })
	w.Advance(9 * ms)
	if want := []string{"first", "second", "third", "made"}; !slices.Equal(got, want) {
		t.Fatalf("fired %v", got)
	}
}

// TestSlotsAreMovedInSteps: a slot with very many timers is moved to finer levels in groups, and a timer can be
// cancelled meanwhile.
func TestSlotsAreMovedInSteps(t *testing.T) {
	w := wheel.New(time.Millisecond, 0)
	probes := make([]*probe, 1000)
	for i := range probes {
		probes[i] = newProbe(nil)
		w.Schedule(&probes[i].Timer, 5000*ms)
	}
	steps := 0
	for now := int64(5000 * ms); steps < 3; steps++ {
		once := true
		w.AdvanceWhile(now, func() bool { defer func() { once = false }(); return once })
	}
	for _, p := range probes {
		if len(p.fired) != 0 {
			t.Fatal("three steps have moved 1000 timers through three levels")
		}
		w.Cancel(&p.Timer)
	}
	if _, ok := w.Next(); ok || w.Len() != 0 {
		t.Fatalf("%d are left, Next %v", w.Len(), ok)
	}
	w.Schedule(&probes[0].Timer, 5000*ms)
	w.Schedule(&probes[1].Timer, 9000*ms)
	if w.Advance(9000*ms) != 2 {
		t.Fatal("the wheel is broken")
	}
}

// TestAgainstModel runs random schedules, cancels and steps against a plain map.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		runModel(t, rand.New(rand.NewPCG(seed, 1)), 3000)
	}
}

func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		runModel(t, rand.New(rand.NewPCG(seed, 2)), int(steps)%2000)
	})
}

func runModel(t *testing.T, rnd *rand.Rand, steps int) {
	t.Helper()
	res := int64(1 + rnd.IntN(20))
	now := rnd.Int64N(1 << 40)
	w := wheel.New(time.Duration(res), now)
	probes := make([]*probe, 50)
	due := map[*probe]int64{} // latest time at which the model still accepts the timer as waiting
	for i := range probes {
		probes[i] = newProbe(nil)
	}
	for range steps {
		p := probes[rnd.IntN(len(probes))]
		switch rnd.IntN(4) {
		case 0, 1:
			when := now + rnd.Int64N(1<<uint(1+rnd.IntN(30))) - 8
			w.Schedule(&p.Timer, when)
			p.fired, due[p] = nil, max(when, now)
		case 2:
			w.Cancel(&p.Timer)
			delete(due, p)
		default:
			if next, ok := w.Next(); ok && rnd.IntN(2) == 0 && next > now {
				now = next
			} else {
				now += rnd.Int64N(1 << uint(1+rnd.IntN(25)))
			}
			if rnd.IntN(2) == 0 {
				w.Advance(now)
			} else {
				advanceInSteps(w, now, 1+rnd.IntN(5))
			}
			for q, when := range due {
				fired := len(q.fired) > 0
				if fired && q.When() > now {
					t.Fatalf("fired early: deadline %d, now %d", q.When(), now)
				}
				if !fired && now >= when+res {
					t.Fatalf("late: deadline %d, now %d, resolution %d", when, now, res)
				}
				if fired {
					delete(due, q)
				}
			}
		}
		if w.Len() != len(due) {
			t.Fatalf("Len %d, model has %d", w.Len(), len(due))
		}
	}
}

// advanceInSteps is Advance with a budget for each step.
func advanceInSteps(w *wheel.Wheel, now int64, budget int) {
	for {
		left := budget
		w.AdvanceWhile(now, func() bool { left--; return left >= 0 })
		if left >= 0 {
			return
		}
	}
}

func TestNoAllocations(t *testing.T) {
	w := wheel.New(time.Millisecond, 0)
	p := newProbe(nil)
	p.fired = make([]int64, 0, 1<<16)
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		w.Schedule(&p.Timer, now+70*ms)
		w.Schedule(&p.Timer, now+5*ms)
		now += 10 * ms
		w.Advance(now)
		w.Next()
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

type nop struct{ wheel.Timer }

func (*nop) Expire(int64) {}

func BenchmarkSchedule(b *testing.B) {
	w := wheel.New(10*time.Millisecond, 0)
	timers := make([]nop, 10_000)
	for i := range timers {
		timers[i].Init(&timers[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Schedule(&timers[i%len(timers)].Timer, int64(i%25_000)*ms)
	}
}

// BenchmarkHeartbeats is 10,000 timers of 25 s each; one operation is one expiry with its rescheduling.
func BenchmarkHeartbeats(b *testing.B) {
	w := wheel.New(10*time.Millisecond, 0)
	timers := make([]heart, 10_000)
	for i := range timers {
		timers[i].w = w
		timers[i].Init(&timers[i])
		w.Schedule(&timers[i].Timer, int64(i)*25_000*ms/int64(len(timers)))
	}
	b.ReportAllocs()
	fired := 0
	for b.Loop() {
		for fired < 1 {
			next, _ := w.Next()
			fired += w.Advance(next)
		}
		fired--
	}
}

type heart struct {
	wheel.Timer
	w *wheel.Wheel
}

func (h *heart) Expire(now int64) { h.w.Schedule(&h.Timer, now+25_000*ms) }

// BenchmarkCascade is one timer of 200,000 that are moved down from a coarse slot; it is the memory that takes the
// time.
func BenchmarkCascade(b *testing.B) {
	timers := make([]nop, 200_000)
	order := rand.New(rand.NewPCG(1, 1)).Perm(len(timers))
	b.ReportAllocs()
	for done := 0; b.Loop(); done++ {
		if done%len(timers) != 0 {
			continue
		}
		b.StopTimer()
		w := wheel.New(10*time.Millisecond, 0)
		for _, i := range order {
			timers[i] = nop{}
			w.Schedule(&timers[i].Timer, 41_000*ms+int64(i%60)*10*ms)
		}
		b.StartTimer()
		w.Advance(40_970 * ms)
	}
}

func BenchmarkNext(b *testing.B) {
	w := wheel.New(10*time.Millisecond, 0)
	p := newProbe(nil)
	w.Schedule(&p.Timer, 25_000*ms)
	b.ReportAllocs()
	for b.Loop() {
		w.Next()
	}
}
