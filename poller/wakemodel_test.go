package poller

import "testing"

// wakeModel is the state of what wakes a loop: its mailbox, its flags, the kicker's channel, gnet's queue of wakes, and
// how far each goroutine has come. A test goes through all interleavings of their steps, each of which is an atomic
// access or a critical section of the real code. A plain value.
type wakeModel struct {
	work, posts   int8 // tasks that wait, and that the posters have not posted yet
	scheduled     bool // mailbox.scheduled
	kicked, inBox bool // Loop.kicked, Loop.inKicker
	box, wakes    int8 // the kicker's channel; turns that gnet was asked for
	bound         bool // gnet has revealed the loop
	owned         bool // Loop.own is held by the kicker
	entries       int8 // entries from the network that may still come
	defers        int8 // turns that may still be put off, because the pass has used up its budget
	posters       [2]modelStep
	loop, kicker  modelStep
}

// modelStep is what a goroutine does next.
type modelStep uint8

const (
	stepIdle    modelStep = iota
	stepWake              // Loop.wake: reads bound
	stepSwap              // kicker.kick: kicked.Swap
	stepClaim             // kicker.kick: inKicker.CompareAndSwap
	stepSend              // kicker.kick: the channel
	stepTurn              // takes tasks
	stepSettle            // mailbox.settle
	stepLeave             // Loop.leave: schedule
	stepKicked            // Loop.wakeKicked: kicked.CompareAndSwap, at the end of an entry
	stepPopped            // kicker.run: inKicker.Store
	stepTry               // kicker.run: kicked.CompareAndSwap
	stepStandIn           // Loop.standIn: reads bound with own held
)

// common returns the states after a step that any goroutine may be at. who selects the goroutine of a copy; done is its
// step after the last one.
func (m wakeModel) common(who func(*wakeModel) *modelStep, done modelStep) (next []wakeModel) {
	n := m
	at := who(&n)
	switch *at {
	case stepWake:
		if *at = stepSwap; n.bound {
			n.wakes++
			*at = done
		}
	case stepSwap:
		if *at = stepClaim; n.kicked {
			*at = done
		}
		n.kicked = true
	case stepClaim:
		if *at = stepSend; n.inBox {
			*at = done
		}
		n.inBox = true
	case stepSend:
		n.box++
		*at = done
	case stepTurn: // a turn runs one task
		n.work = max(n.work-1, 0)
		*at = stepSettle
	case stepSettle:
		if *at = stepSwap; n.work == 0 {
			n.scheduled = false
			*at = done
		}
	default:
		return nil
	}
	return []wakeModel{n}
}

// post is a step of a poster.
func (m wakeModel) post(i int) []wakeModel {
	if m.posters[i] != stepIdle {
		return m.common(func(n *wakeModel) *modelStep { return &n.posters[i] }, stepIdle)
	}
	if m.posts == 0 {
		return nil
	}
	m.posts--
	m.work++
	if !m.scheduled {
		m.scheduled = true
		m.posters[i] = stepWake
	}
	return []wakeModel{m}
}

// gnet is a step of gnet's goroutine: it binds the loop, runs a wake, or brings an entry from the network.
func (m wakeModel) gnet() (next []wakeModel) {
	switch m.loop {
	case stepIdle:
	case stepLeave:
		// Without work of its own, or with some; the entry then goes on with wakeKicked.
		n := m
		n.loop = stepKicked
		next = append(next, n)
		if !n.scheduled {
			n.scheduled = true
			n.wakes++ // an entry means that the loop is bound
			next = append(next, n)
		}
		return next
	case stepKicked:
		if m.loop = stepIdle; m.kicked {
			m.kicked = false
			m.wakes++
		}
		return []wakeModel{m}
	default:
		return m.common(func(n *wakeModel) *modelStep { return &n.loop }, stepIdle)
	}
	if !m.bound {
		if !m.owned {
			n := m
			n.bound = true
			next = append(next, n)
		}
		return next
	}
	if m.entries > 0 {
		n := m
		n.entries--
		n.loop = stepLeave
		next = append(next, n)
	}
	if m.wakes > 0 {
		n := m
		n.wakes--
		n.loop = stepTurn
		next = append(next, n)
		if n.defers > 0 {
			n.defers--
			n.loop = stepSwap
			next = append(next, n)
		}
	}
	return next
}

// kick is a step of the kicker.
func (m wakeModel) kick() []wakeModel {
	switch m.kicker {
	case stepIdle:
		if m.owned = false; m.box == 0 {
			return nil
		}
		m.box--
		m.kicker = stepPopped
	case stepPopped:
		m.inBox = false
		m.kicker = stepTry
	case stepTry:
		if m.kicker = stepIdle; m.kicked {
			m.kicked = false
			m.kicker = stepStandIn
		}
	case stepStandIn:
		if m.kicker = stepWake; !m.bound {
			m.owned = true
			m.kicker = stepTurn
		}
	default:
		next := m.common(func(n *wakeModel) *modelStep { return &n.kicker }, stepIdle)
		for i := range next {
			next[i].owned = next[i].owned && next[i].kicker != stepIdle
		}
		return next
	}
	return []wakeModel{m}
}

// No order of the steps leaves a loop asleep with work: while a task waits, somebody has a step to do, though no
// further input comes from the network. The channel of the kicker never has a loop twice, or the kick would block.
func TestNoWakeIsLostInAnyOrder(t *testing.T) {
	const postsMax, entriesMax, defersMax = 4, 2, 2
	seen := map[wakeModel]bool{}
	waiting := []wakeModel{
		{posts: postsMax, entries: entriesMax, defers: defersMax},
		{posts: postsMax, entries: entriesMax, defers: defersMax, bound: true},
	}
	ends := 0
	for len(waiting) > 0 {
		m := waiting[len(waiting)-1]
		if waiting = waiting[:len(waiting)-1]; seen[m] {
			continue
		}
		seen[m] = true
		if m.box > 1 {
			t.Fatalf("the loop is twice in the channel: %+v", m)
		}
		next := append(append(append(m.post(0), m.post(1)...), m.gnet()...), m.kick()...)
		waiting = append(waiting, next...)
		quiet := m // without what the network may bring, and without gnet's first connection
		quiet.entries = 0
		if len(quiet.post(0))+len(quiet.post(1))+len(quiet.kick()) > 0 || quiet.bound && len(quiet.gnet()) > 0 {
			continue
		}
		if ends++; m.work > 0 || m.scheduled {
			t.Fatalf("the loop sleeps with %d tasks: %+v", m.work, m)
		}
	}
	if ends == 0 || len(seen) < 1000 {
		t.Errorf("%d states with %d ends: the model does not move", len(seen), ends)
	}
	t.Logf("%d states, %d ends", len(seen), ends)
}
