package poller

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

// clockEvery is the number of tasks between two looks at the clock. A look costs about half of a small task.
const clockEvery = 4

// flushShare is which part of the tasks' time is for flushes while a task goes on over several turns. A broadcast gives
// work to many connections; those that are flushed before the next broadcast need one system call for each of the two.
const flushShare = 4

// chain adds up turns that may belong to one pass of gnet's loop, so that the budget holds for all of them together.
// Loop-owned.
type chain struct {
	items   int
	time    int64
	ended   int64 // when the latest turn that worked has ended
	sawRead bool  // gnet has handled a socket since
}

// renew forgets the turns of an earlier pass.
func (ch *chain) renew(now int64) {
	if ch.sawRead || now-ch.ended >= passGap {
		*ch = chain{ended: now}
	}
}

// leaveOut leaves a time out of the gap to the next turn, because gnet has not looked at its sockets meanwhile. The
// rest of the gap stays: it may take many short steps until a turn may begin.
func (ch *chain) leaveOut(time int64) { ch.ended += time }

// usedUp makes later turns of the same pass wait for the next one. most is the time that a pass has for turns.
func (ch *chain) usedUp(most int64) { *ch = chain{time: most, ended: monotonic()} }

// begin reports whether the budget allows a turn now.
func (ch *chain) begin(now int64, itemsMax int, timeMax int64) bool {
	ch.renew(now)
	return ch.items < itemsMax && ch.time < timeMax
}

// turn runs waiting tasks, then timers, then flushes, each within its budget. If something is left, the kicker requests
// another turn from its goroutine, so that gnet handles its sockets first. inPass is false if gnet does not call it;
// there is then nothing that the turn holds up.
func (l *Loop) turn(inPass bool) {
	cfg := &l.engine.config
	start := monotonic()
	if inPass && !l.chain.begin(start, cfg.DrainItems, cfg.longestTurn()) {
		l.counters.deferred.Add(1)
		l.engine.kicker.kick(l)
		return
	}
	if !inPass {
		l.chain = chain{}
	}
	l.SetNow(start)
	l.Renew()
	l.depth++
	l.counters.turns.Add(1)

	items, whole := l.drain(wheel.Deadline(start, cfg.DrainTime))
	flushTime := cfg.FlushTime
	if !whole {
		flushTime = min(flushTime, time.Duration(l.clock()-start)/flushShare)
	}
	l.expire()
	l.Settle()
	l.SendRemotes()
	l.flushDirty(flushTime)
	l.Settle()
	l.SendRemotes()
	due := l.Due()
	if !due {
		l.arm()
	}
	l.depth--

	end := l.clock()
	l.Renew() // for what is read until the next turn
	l.chain.items += items
	l.chain.time += end - start
	l.chain.ended = end
	l.chain.sawRead = false
	if l.mailbox.settle(l.Dirty() > 0 || l.Unsettled() || due) {
		l.engine.kicker.kick(l)
	}
}

// drain runs tasks until the mailbox is empty, the budget is used up or a task has to go on in a later turn (whole is
// false then), and returns how many it ran.
func (l *Loop) drain(deadline int64) (items int, whole bool) {
	for more := true; more; {
		var ran int
		ran, more = l.drainSome(l.engine.config.DrainItems-l.chain.items-items, deadline)
		items += ran
		if l.mailbox.takeUnfinished() {
			l.counters.posts.Add(int64(items - 1)) // it counts at its end
			return items, false
		}
	}
	l.counters.posts.Add(int64(items))
	return items, true
}

// drainSome runs tasks and recovers a panic. more is true when a panic has interrupted it.
func (l *Loop) drainSome(itemsMax int, deadline int64) (ran int, more bool) {
	defer func() {
		if v := recover(); v != nil {
			l.Panicked("task", v)
			l.Settle()
			more = true
		}
	}()
	for ran < itemsMax {
		if ran > 0 && l.mailbox.batchDone() && l.Overspent() {
			// What was posted meanwhile may be more of the same work, such as the next step of a message.
			return ran, false
		}
		task := l.mailbox.next()
		if task == nil {
			return ran, false
		}
		ran++
		l.Enter()
		task.Run(l.index)
		if l.Unsettled() {
			l.Settle()
		}
		if l.mailbox.unfinished {
			return ran, false
		}
		if ran%clockEvery == 0 && l.clock() >= deadline {
			return ran, false
		}
	}
	return ran, false
}

// clock updates Now in the middle of a turn and returns it.
func (l *Loop) clock() int64 {
	now := monotonic()
	l.SetNow(now)
	return now
}

// flushDirty flushes connections until none is dirty, the slice is used up or limit has passed.
func (l *Loop) flushDirty(limit time.Duration) {
	if l.Dirty() > 0 {
		l.FlushSome(l.engine.config.FlushSlice, wheel.Deadline(l.clock(), limit))
	}
}

// expire fires the timers that are due, with a budget of their own.
func (l *Loop) expire() {
	l.mailbox.rung.Store(false) // a deadline that passes from here on may be too late for this turn
	l.clock()
	l.Renew()
	if l.alarmAt != 0 && l.alarmAt <= l.Now() {
		l.alarmAt = 0 // it has fired, or will fire without effect
	}
	for l.expireSome() {
	}
}

// expireSome fires due timers and recovers a panic. more is true when a panic has interrupted it.
func (l *Loop) expireSome() (more bool) {
	defer func() {
		if v := recover(); v != nil {
			l.Panicked("timer", v)
			more = true
		}
	}()
	if n := l.Expire(); n > 0 {
		l.counters.timers.Add(int64(n))
	}
	return false
}

// Panicked counts and logs a recovered panic. It implements stream.Host.
func (l *Loop) Panicked(entry string, v any) {
	l.counters.panics.Add(1)
	l.engine.config.Logger.LogAttrs(context.Background(), slog.LevelError, "poller: panic recovered",
		slog.String("entry", entry), slog.Int("loop", l.index), slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
}
