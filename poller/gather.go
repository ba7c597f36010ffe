package poller

import (
	"runtime"
	"time"
)

const (
	// gatherWindow is the time after which a loop decides anew whether it gathers.
	gatherWindow = int64(5 * time.Millisecond)
	// gatherFew is the number of events that must be expected in Config.GatherTime. A wait for fewer is not worth it.
	gatherFew = 4
	// gatherEnough is the number of events in one pass from which on the pass pays without a wait. A loop that is
	// behind has more in each pass, so it never waits.
	gatherEnough = 16
	// gatherAgain is the time within which two inputs of one connection are parts of a conversation: its client waits
	// for each answer before it goes on, and would be slowed down. A loop does not gather when more than one input in
	// gatherTalk is such a part.
	gatherAgain = int64(4 * time.Millisecond)
	gatherTalk  = 8
	// gatherSlots is how many connections are remembered to notice conversations, a power of two.
	gatherSlots = 256
)

// gathering decides whether a loop waits for a moment at the end of a pass, as network cards do before an interrupt. In
// many small rooms each event is for a few connections, on several loops. Without waits each loop would be woken for
// each event, and the wakes would cost as much as the work. Loop-owned.
type gathering struct {
	on     bool
	began  int64 // start of the window
	before int64 // events until then
	last   int64 // events until the end of the latest pass
	inputs int64 // inputs of connections in the window
	talk   int64 // those that were parts of a conversation
	hurry  bool  // the pass has done something that a client waits for
	slots  [gatherSlots]gatherSlot
}

// gatherSlot is when a connection, by its descriptor, had input last.
type gatherSlot struct {
	fd int
	at int64
}

// read notes the input of a connection.
func (g *gathering) read(fd int, now int64) {
	g.inputs++
	s := &g.slots[fd%gatherSlots]
	if s.fd == fd && now-s.at < gatherAgain {
		g.talk++
	}
	*s = gatherSlot{fd, now}
}

// wanted reports, at the end of a pass, whether the loop should wait. events is the number of all events so far, and
// most the time that a wait takes.
func (g *gathering) wanted(now, events, most int64) bool {
	pass, hurry := events-g.last, g.hurry
	g.last, g.hurry = events, false
	if elapsed := now - g.began; elapsed >= gatherWindow {
		n := events - g.before
		g.on = n*most >= gatherFew*elapsed && g.talk*gatherTalk <= g.inputs
		g.began, g.before, g.inputs, g.talk = now, events, 0, 0
	}
	return g.on && !hurry && pass < gatherEnough
}

// gather waits for more work at the end of a pass of gnet, if that pays, and does what the mailbox has got meanwhile.
// Input waits in the kernel. Posts need not wake the loop, and what the handlers of the pass have posted leaves before
// the wait.
func (l *Loop) gather() {
	most := l.engine.config.GatherTime
	if most < 0 || !l.gathering.wanted(monotonic(), l.counters.reads.Load()+l.counters.posts.Load(), int64(most)) {
		return
	}
	if l.meanwhile(runtime.Gosched) && l.meanwhile(l.pause) {
		l.counters.pauses.Add(1)
	}
	l.chain.usedUp(l.engine.config.longestTurn())
}

// meanwhile calls wait, and then does what was posted during it. It returns false, and may do nothing, if a turn is
// requested.
func (l *Loop) meanwhile(wait func()) bool {
	if !l.mailbox.claim() {
		return false
	}
	wait()
	if l.mailbox.settle(false) {
		l.turn(false)
	}
	return true
}
