package memory

import (
	"math/rand/v2"
	"testing"
)

// testLoops are ledgers whose posted functions the test runs.
type testLoops struct {
	budget  *Budget
	ledgers []*Ledger
	posted  []func()
	reports []Report
}

func newTestLoops(n int, limit int64) *testLoops {
	t := &testLoops{}
	t.budget = NewBudget(limit, func(r Report) { t.reports = append(t.reports, r) })
	for range n {
		l := new(Ledger)
		t.budget.Join(l, func(fn func()) { t.posted = append(t.posted, fn) })
		t.ledgers = append(t.ledgers, l)
	}
	return t
}

// run runs what is posted, and returns how many functions that were.
func (t *testLoops) run() (ran int) {
	for ; len(t.posted) > 0; ran++ {
		fn := t.posted[0]
		t.posted = t.posted[1:]
		fn()
	}
	return ran
}

// testHolder holds bytes of its own.
type testHolder struct {
	l       *Ledger
	bytes   int
	evicted int
	// slow: what it holds is free only after the turn.
	slow func(func())
}

func (l *testLoops) holder(ledger, bytes int) *testHolder {
	h := &testHolder{l: l.ledgers[ledger]}
	h.set(bytes)
	return h
}

func (h *testHolder) set(bytes int) {
	h.l.Move(h, h.bytes, bytes)
	h.bytes = bytes
}

func (h *testHolder) Held() int { return h.bytes }

func (h *testHolder) Evict() {
	h.evicted++
	if h.slow != nil {
		h.slow(func() { h.set(0) })
		return
	}
	h.set(0)
}

const mib = 1 << 20

// Those that hold the most end first, whichever loop they belong to, until an eighth of the limit is free.
func TestBudgetEndsTheLargest(t *testing.T) {
	loops := newTestLoops(3, 64*mib)
	var small, large []*testHolder
	for i := range 30 {
		small = append(small, loops.holder(i%3, mib))
	}
	for range 10 {
		large = append(large, loops.holder(1, 4*mib))
	}
	loops.run()
	ended := 0
	for _, h := range large {
		ended += h.evicted
	}
	for i, h := range small {
		if h.evicted != 0 {
			t.Errorf("holder %d of 1 MiB was ended before those of 4 MiB", i)
		}
	}
	if ended < 2 || ended > 4 || loops.budget.Held() > 64*mib {
		t.Errorf("%d of 4 MiB were ended, %d bytes are left", ended, loops.budget.Held())
	}
	if got := loops.budget.Evicted(); got != int64(ended) {
		t.Errorf("%d counted, %d ended", got, ended)
	}
	if len(loops.reports) == 0 || loops.reports[0].Limit != 64*mib || loops.reports[0].Held <= 64*mib || loops.reports[0].Largest != 4*mib {
		t.Errorf("reports %+v", loops.reports)
	}
}

// The largest end first, also among those that differ little.
func TestBudgetEndsTheLargestOfAClass(t *testing.T) {
	loops := newTestLoops(1, 64*mib)
	var all []*testHolder
	for i := range 60 {
		all = append(all, loops.holder(0, mib+i*(10<<10)))
	}
	loops.run()
	if all[0].evicted != 0 || all[len(all)-1].evicted != 1 {
		t.Errorf("the smallest was ended %d times, the largest %d times", all[0].evicted, all[len(all)-1].evicted)
	}
	for i := range all[1:] {
		if all[i].evicted > all[i+1].evicted {
			t.Fatalf("holder %d was ended before a larger one", i)
		}
	}
}

func TestBudgetLeavesAnEighth(t *testing.T) {
	loops := newTestLoops(2, 64*mib)
	for i := range 640 {
		loops.holder(i%2, 100<<10)
	}
	for i := range 400 { // all at once, before a round runs
		loops.holder(i%2, 100<<10)
	}
	loops.run()
	if held := loops.budget.Held(); held > 56*mib || held < 50*mib {
		t.Errorf("%d bytes are held after the rounds, the limit is %d", held, 64*mib)
	}
}

// What a holder frees only later is not freed twice: no more are ended for it.
func TestBudgetCountsWhatIsOnItsWay(t *testing.T) {
	loops := newTestLoops(1, 16*mib)
	var later []func()
	var all []*testHolder
	for range 17 {
		h := loops.holder(0, mib)
		h.slow = func(fn func()) { later = append(later, fn) }
		all = append(all, h)
	}
	for len(loops.posted) > 0 && len(later) == 0 {
		fn := loops.posted[0]
		loops.posted = loops.posted[1:]
		fn()
	}
	for _, fn := range later {
		fn()
	}
	loops.run()
	ended := 0
	for _, h := range all {
		ended += h.evicted
	}
	if ended != 3 {
		t.Errorf("%d of 17 were ended, want 3", ended)
	}
}

// Bytes that nobody is to blame for end nobody: a burst that is being written.
func TestBudgetSparesBursts(t *testing.T) {
	loops := newTestLoops(2, 64*mib)
	slow := loops.holder(0, 100<<10)
	frames := make([][]byte, 1000)
	for i := range frames {
		frames[i] = make([]byte, mib)
		loops.ledgers[i%2].Hold(frames[i])
	}
	if held := loops.budget.Held(); held < 1000*mib {
		t.Fatalf("%d bytes held", held)
	}
	loops.run()
	for i, f := range frames {
		loops.ledgers[i%2].Drop(f)
	}
	loops.run()
	if slow.evicted != 0 || loops.budget.Evicted() != 0 || loops.budget.Held() != 100<<10 {
		t.Errorf("evicted %d, held %d", loops.budget.Evicted(), loops.budget.Held())
	}
}

// A budget that was passed while nobody could be blamed is looked at again when somebody can.
func TestBudgetLooksAgainWhenHoldersAreListed(t *testing.T) {
	loops := newTestLoops(1, 8*mib)
	l := loops.ledgers[0]
	l.Add(12 * mib)
	loops.run()
	h := &testHolder{l: l, bytes: 12 * mib}
	l.List(h) // its bytes were counted before
	loops.run()
	if h.evicted != 1 {
		t.Errorf("evicted %d times", h.evicted)
	}
}

// Of very many holders a sample is looked at in each step.
func TestBudgetOfManyHolders(t *testing.T) {
	loops := newTestLoops(2, 64*mib)
	var all []*testHolder
	for i := range 20_000 {
		all = append(all, loops.holder(i%2, 8<<10))
	}
	loops.run()
	ended := 0
	for _, h := range all {
		ended += h.evicted
		if h.evicted > 1 {
			t.Fatal("one was ended twice")
		}
	}
	if held := loops.budget.Held(); held > 64*mib || ended == 0 || ended > 20_000-50*128 {
		t.Errorf("%d were ended, %d bytes are left", ended, held)
	}
}

// One task of a loop ends few: each has rooms to leave and handlers to call.
func TestBudgetYieldsBetweenEnds(t *testing.T) {
	loops := newTestLoops(1, 16*mib)
	var all []*testHolder
	for range 4000 {
		all = append(all, loops.holder(0, 8<<10))
	}
	count := func() (n int) {
		for _, h := range all {
			n += h.evicted
		}
		return n
	}
	before := 0
	for len(loops.posted) > 0 {
		fn := loops.posted[0]
		loops.posted = loops.posted[1:]
		fn()
		if n := count(); n-before > cutsMax {
			t.Fatalf("%d were ended in one task", n-before)
		} else {
			before = n
		}
	}
	if before < 2000 {
		t.Errorf("%d were ended", before)
	}
}

// A frame counts once for each loop, however many wait for it, also when parts of it are sent already.
func TestLedgerSharesFrames(t *testing.T) {
	loops := newTestLoops(1, 64*mib)
	l := loops.ledgers[0]
	frame := make([]byte, 8*mib)
	const clients = 10_000
	for i := range clients {
		l.Hold(frame[i:])
	}
	if held := l.Held(); held > 8*mib+clients*slotBytes+frameBytes || held < 8*mib {
		t.Errorf("%d bytes for a frame of 8 MiB", held)
	}
	if share := l.Share(frame[77:]); share > slotBytes+8*mib/clients+1 {
		t.Errorf("the share of one of %d is %d", clients, share)
	}
	for i := range clients {
		l.Drop(frame[clients-1-i:])
	}
	if l.Held() != 0 || len(l.frames) != 0 {
		t.Errorf("%d bytes held at the end", l.Held())
	}
	l.Drop(frame)
	if l.Share(frame) != 0 || l.Held() != 0 {
		t.Error("a frame that nobody holds counts")
	}
}

// The whole frame counts, though the first to be counted has only its end left.
func TestLedgerCountsWholeFrames(t *testing.T) {
	l := newTestLoops(1, 64*mib).ledgers[0]
	frame := make([]byte, 1000)
	l.Hold(frame[900:])
	if l.Held() != 100+slotBytes+frameBytes {
		t.Errorf("held %d", l.Held())
	}
	l.Hold(frame)
	l.Hold(frame[500:])
	if l.Held() != 1000+3*slotBytes+frameBytes {
		t.Errorf("held %d", l.Held())
	}
}

// Without a budget nothing is counted.
func TestLedgerWithoutBudget(t *testing.T) {
	var l Ledger
	l.Add(mib)
	h := &testHolder{l: &l}
	h.set(mib)
	l.Unlist(h)
	if l.On() || l.Held() != 0 || l.Listed() != 0 {
		t.Errorf("held %d, listed %d", l.Held(), l.Listed())
	}
}

// The map does not keep the memory of a peak.
func TestLedgerGivesUpItsMap(t *testing.T) {
	l := newTestLoops(1, 1<<40).ledgers[0]
	frames := make([][]byte, framesKeep+1)
	for i := range frames {
		frames[i] = make([]byte, 1)
		l.Hold(frames[i])
	}
	for _, f := range frames {
		l.Drop(f)
	}
	if l.peak != 0 || l.Held() != 0 {
		t.Errorf("a map for %d frames is kept, %d bytes held", l.peak, l.Held())
	}
}

// Holders that list themselves and forget to leave the list are asked now and then.
func TestLedgerPrunesItsList(t *testing.T) {
	l := newTestLoops(1, 1<<40).ledgers[0]
	for range 10_000 {
		l.List(&forgetful{l: l})
	}
	if n := l.Listed(); n > 200 {
		t.Errorf("%d are listed", n)
	}
}

// forgetful holds nothing, and leaves the list when it is asked.
type forgetful struct{ l *Ledger }

func (f *forgetful) Held() int { f.l.Unlist(f); return 0 }
func (f *forgetful) Evict()    {}

// A model: whatever is held, dropped, added and taken off, the sum is that of a list.
func TestLedgerAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		loops := newTestLoops(1, 1<<40)
		l := loops.ledgers[0]
		pool := make([][]byte, 20)
		for i := range pool {
			pool[i] = make([]byte, 1+rnd.IntN(5000))
		}
		refs := make([]int, len(pool))
		h := loops.holder(0, 0)
		for range 3000 {
			switch i := rnd.IntN(len(pool)); {
			case rnd.IntN(3) == 0:
				h.set(rnd.IntN(3) * rnd.IntN(8000))
			case refs[i] == 0 || rnd.IntN(2) == 0:
				l.Hold(pool[i])
				refs[i]++
			default:
				l.Drop(pool[i])
				refs[i]--
			}
			want := int64(h.bytes)
			for i, n := range refs {
				if n > 0 {
					want += int64(n*slotBytes + frameBytes + len(pool[i]))
				}
			}
			if l.Held() != want {
				t.Fatalf("seed %d: %d held, want %d", seed, l.Held(), want)
			}
			if listed := l.Listed() == 1; listed != (h.bytes >= ListMin) {
				t.Fatalf("seed %d: with %d bytes listed is %v", seed, h.bytes, listed)
			}
		}
	}
}

// Packets on their way to a loop count, and are refused when much more is held than the budget has, and they are to
// blame.
func TestDepart(t *testing.T) {
	loops := newTestLoops(1, 16*mib)
	l := loops.ledgers[0]
	if !l.Depart(100) || l.Held() != 0 {
		t.Error("a small packet counts")
	}
	l.Arrive(100)
	sent := 0
	for ; l.Depart(mib); sent++ {
		if sent > 100 {
			t.Fatal("no end")
		}
	}
	if sent != 33 || l.Held() != 33*mib {
		t.Errorf("%d packets of 1 MiB were taken, %d bytes held", sent, l.Held())
	}
	for range sent {
		l.Arrive(mib)
	}
	if l.Held() != 0 || l.coming.Load() != 0 {
		t.Errorf("%d bytes held, %d coming", l.Held(), l.coming.Load())
	}
	l.Add(100 * mib) // held by others
	for range 4 {
		if !l.Depart(mib) {
			t.Fatal("refused, though what is on its way is little")
		}
	}
	if l.Depart(mib) {
		t.Error("more was taken")
	}
	var off Ledger
	if !off.Depart(1<<40) || off.coming.Load() != 0 {
		t.Error("refused without a budget")
	}
	off.Arrive(1 << 40)
}
