package poller

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Loop is one event loop with everything that it owns: connections, timers, buffers and a mailbox. It is loop-owned,
// except for methods documented as safe for concurrent use.
type Loop struct {
	stream.Loop
	engine *Engine
	index  int
	runner loopRunner

	// The goroutine that runs the loop changes. It is the engine's kicker until gnet opens its first connection here,
	// gnet's goroutine from then on (bound), and the engine's last goroutine after gnet has ended. own keeps the first
	// two apart.
	own      sync.Mutex
	wakeMu   sync.Mutex
	bound    gnet.EventLoop // guarded by wakeMu; nil until bound
	dead     bool           // guarded by wakeMu: gnet closes its event file, so the loop must not be woken any more
	kicked   atomic.Bool    // the loop has to be woken, by the kicker or by wakeKicked
	inKicker atomic.Bool    // waits in the kicker's channel
	driver   atomic.Int64   // goroutine id, for OnLoop
	thread   int            // with PrivateFiles: the loop's own thread, 0 before it has one. Written on the loop

	mailbox  mailbox
	counters counters

	// The following fields are loop-owned, as stream.Loop is.
	depth   int         // entries on the stack: gnet calls OnClose from inside its Close
	alarm   *time.Timer // posts a turn at alarmAt; nil until first armed
	alarmAt int64       // 0: not armed

	chain    chain
	scratch  []byte
	vector   []unix.Iovec
	writable writableTask
	input    inputSet
	bell     *bell // tells of connections that take more data; nil while the engine's writables do
	belled   bool  // a bell was asked for
	pauser   pauser

	gathering gathering

	_ [64]byte // keeps the next loop's counters on other cache lines
}

func newLoop(e *Engine, index int) *Loop {
	l := &Loop{engine: e, index: index}
	now := monotonic()
	l.Init(l, &e.limits, wheel.New(e.config.TimerResolution, now), now)
	l.runner.loop, l.writable.loop = l, l
	l.scratch = make([]byte, 0, copyBytesMax)
	return l
}

// Index returns the loop's number, from 0. Safe for concurrent use.
func (l *Loop) Index() int { return l.index }

// Engine returns the engine the loop belongs to. Safe for concurrent use.
func (l *Loop) Engine() *Engine { return l.engine }

// Clock implements stream.Host.
func (l *Loop) Clock() int64 { return monotonic() }

// MustOwn implements stream.Host.
func (l *Loop) MustOwn(method string) { l.mustOwn(method) }

// Entered implements stream.Host. It does nothing, because leave handles everything at the end of the entry.
func (l *Loop) Entered() {}

// OnLoop reports whether the calling goroutine drives this loop. It parses a stack trace and takes about a microsecond:
// use it in assertions and tests only. Safe for concurrent use.
func (l *Loop) OnLoop() bool { return l.driver.Load() == goroutineID() }

// enter starts an entry. Entries nest only when gnet calls OnClose inside of one.
func (l *Loop) enter() {
	if l.depth == 0 {
		l.SetNow(monotonic())
		l.Enter()
	}
	l.depth++
}

// leave ends an entry from the network: it settles closings, posts batches for other loops, and requests a turn if
// necessary.
func (l *Loop) leave() {
	if l.depth == 1 {
		l.Settle()
		l.SendRemotes()
		if l.Dirty() > 0 || l.Unsettled() || l.Overspent() {
			l.schedule()
		}
		l.wakeKicked()
		l.arm()
	}
	l.depth--
}

// arm sets the alarm to the wheel's next deadline if that is earlier than the alarm's.
func (l *Loop) arm() {
	when, ok := l.Wheel().Next()
	if !ok || l.alarmAt != 0 && l.alarmAt <= when {
		return
	}
	l.alarmAt = when
	delay := time.Duration(max(when-l.Now(), 0))
	if l.alarm == nil {
		l.alarm = time.AfterFunc(delay, l.ring)
	} else {
		l.alarm.Reset(delay)
	}
}

// wake requests a turn: through gnet, or through the kicker while gnet has not revealed the loop. Safe for concurrent
// use.
func (l *Loop) wake() {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	switch {
	case l.dead:
	case l.bound == nil:
		l.engine.kicker.kick(l)
	default:
		if err := l.bound.Execute(context.Background(), &l.runner); err != nil {
			// gnet is past its end; the engine's last goroutine runs what is left.
			l.engine.config.Logger.Debug("poller: wake failed", "loop", l.index, "error", err)
		}
	}
}

// bind gives the loop to gnet's goroutine, which is the caller, as soon as the kicker has finished its turn.
func (l *Loop) bind(el gnet.EventLoop) {
	l.own.Lock()
	defer l.own.Unlock()
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	l.bound = el
	l.input = inputSetOf(el)
	l.driver.Store(goroutineID())
}

// wantBell asks for a bell, once: loops whose connections are never blocked need none.
func (l *Loop) wantBell() {
	if !l.belled && !l.engine.config.PrivateFiles {
		l.belled = true
		go l.hangBell()
	}
}

// kill stops all wakes. After it has returned, nobody writes to gnet's event file.
func (l *Loop) kill() {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	l.dead = true
}

func (l *Loop) isBound() bool {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	return l.bound != nil
}

// loopRunner is the gnet.Runnable that runs turns of a loop. Each loop has one.
type loopRunner struct{ loop *Loop }

// Run runs a turn. It always returns nil, because gnet shuts down on some errors.
//
// A loop that has used up its budget has more to do, and gnet would not let go of the processor: handlers that this
// loop has started would wait until the scheduler stops it, for 10 ms. So it gives them their turn. It does so before
// its own one. Behind it, the kicker would run too and wake the loop within the same pass of gnet, which does not look
// at its sockets meanwhile.
func (r *loopRunner) Run(context.Context) error {
	l := r.loop
	defer l.survive("turn")
	if l.Overspent() || l.chain.time >= int64(l.engine.config.TurnTime) {
		before := monotonic()
		l.chain.renew(before)
		runtime.Gosched()
		l.chain.leaveOut(monotonic() - before)
	}
	l.turn(true)
	l.gather()
	return nil
}

// survive, deferred by an entry, recovers its panic and requests another turn. Panics of user code are recovered
// elsewhere; this one is for the engine's own code, because gnet has none.
func (l *Loop) survive(entry string) {
	if v := recover(); v != nil {
		l.Panicked(entry, v)
		l.depth = 0
		l.Recover()
		l.engine.kicker.kick(l)
	}
}
