package poller

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watchInterval is how often blocked and closing connections are looked at. gnet does not tell when its buffer has
	// run empty.
	watchInterval = int64(10 * time.Millisecond)
	// lingerTime is how long a connection that has sent all waits for the peer's EOF. Closing at once would make
	// the kernel reset the connection if the peer has sent anything that we did not read, and the peer could lose
	// the end of our data.
	lingerTime = int64(time.Second)
)

// watchState is what is known of a connection that does not move on by itself. It is loop-owned.
type watchState struct {
	deadline int64 // of leaving or lingering; 0: none
	moved    int64 // when the peer last took something, while blocked
	held     int   // what gnet held then
	unsent   int   // what the kernel held then; -1: unknown
}

// watcher is a Loop as the Expirer of its own timer.
type watcher Loop

// Expire looks at all watched connections.
func (w *watcher) Expire(now int64) {
	l := (*Loop)(w)
	kept := 0
	for i := 0; i < len(l.watched); i++ { // grows meanwhile
		c := l.watched[i]
		l.look(c, now)
		if c.watch() == nil { // closed, or not blocked any more
			c.flags &^= flagWatched
			continue
		}
		l.watched[kept] = c
		kept++
	}
	clear(l.watched[kept:])
	l.watched = l.watched[:kept]
	if kept > 0 {
		l.wheel.Schedule(&l.watch, now+watchInterval)
	}
}

// watched returns the state of c, which is looked at from now on.
func (l *Loop) watchConn(c *Conn) *watchState {
	r := c.rarely()
	if r.watch == nil {
		r.watch = &watchState{}
	}
	if c.flags&flagWatched == 0 {
		c.flags |= flagWatched
		l.watched = append(l.watched, c)
		if !l.watch.Scheduled() {
			l.wheel.Schedule(&l.watch, l.now+watchInterval)
		}
	}
	return r.watch
}

// watchUntil gives a leaving or lingering connection a deadline.
func (l *Loop) watchUntil(c *Conn, deadline int64) { l.watchConn(c).deadline = deadline }

// block notes that the peer does not take what gnet holds.
func (l *Loop) block(c *Conn) {
	c.flags |= flagBlocked
	l.counters.blocked.Add(1)
	w := l.watchConn(c)
	w.moved, w.held, w.unsent = l.now, c.gc.OutboundBuffered(), unsentBytes(c.gc.Fd())
}

// look moves a watched connection on.
func (l *Loop) look(c *Conn, now int64) {
	w := c.watch()
	if w == nil || c.flags&flagClosed != 0 {
		c.unwatch()
		return
	}
	if c.flags&flagBlocked != 0 {
		l.lookBlocked(c, w, now)
	}
	if c.flags&flagClosed != 0 {
		return
	}
	switch {
	case c.flags&(flagLeaving|flagLingering|flagRejected) == 0:
		if c.flags&flagBlocked == 0 {
			c.unwatch()
		}
	case now < w.deadline:
	case c.flags&flagLingering != 0:
		l.closeConn(c, nil)
	default:
		l.counters.flushTimes.Add(1)
		l.closeConn(c, ErrFlushTimeout)
	}
}

// lookBlocked flushes on when gnet's buffer is empty, and closes when nothing has moved for too long.
func (l *Loop) lookBlocked(c *Conn, w *watchState, now int64) {
	held := c.gc.OutboundBuffered()
	switch {
	case held == 0:
		c.flags &^= flagBlocked
		l.counters.blocked.Add(-1)
		if c.queue.empty() {
			l.flushConn(c) // leaving, perhaps
		} else {
			l.markDirty(c)
		}
	case held < w.held:
		w.held, w.moved = held, now
		c.tellRemotes()
	case now-w.moved >= int64(l.engine.config.WriteTimeout):
		// gnet's part stays the same until a good part of the kernel's buffer is free; a slow reader is not a dead one.
		if unsent := unsentBytes(c.gc.Fd()); unsent >= 0 && unsent < w.unsent {
			w.unsent, w.moved = unsent, now
			return
		}
		l.counters.writeTimeouts.Add(1)
		l.closeConn(c, ErrWriteTimeout)
	}
}

// linger shuts our side down behind the last byte and waits for the peer to close.
func (l *Loop) linger(c *Conn) {
	c.flags |= flagLingering
	if err := unix.Shutdown(c.gc.Fd(), unix.SHUT_WR); err != nil {
		l.closeConn(c, nil)
		return
	}
	l.watchUntil(c, l.now+lingerTime)
}
