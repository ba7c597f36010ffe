package poller

import (
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// handler implements gnet's event handler for the engine. Its methods run on gnet's goroutines.
type handler Engine

func (h *handler) engine() *Engine { return (*Engine)(h) }

// OnBoot runs in Rotate's goroutine when the sockets listen and before anything is accepted.
func (h *handler) OnBoot(g gnet.Engine) gnet.Action {
	e := h.engine()
	if len(e.addrs) > 0 && e.boot(g) != nil { // without listeners, runUnheard has more to do first
		return gnet.Shutdown
	}
	return gnet.None
}

// OnShutdown runs before gnet stops its loops. Nobody may wake the loops any more: gnet closes their event files as
// soon as they have stopped, and a wake would write to the file that has this number by then.
func (h *handler) OnShutdown(gnet.Engine) {
	e := h.engine()
	e.adoptions.close()
	for _, l := range e.loops {
		l.kill()
	}
	e.removeFiles()
	e.gate.close()
}

// OnTick reports that gnet has made all its loops. It ticks only with PrivateFiles; loops have timers of their own.
func (h *handler) OnTick() (time.Duration, gnet.Action) {
	h.engine().ticked.Do(func() { close(h.looping) })
	return time.Hour, gnet.None
}

// OnOpen admits or rejects a new connection.
func (h *handler) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	e := h.engine()
	l := e.loopOf(gc.EventLoop())
	if e.config.PrivateFiles && l.thread == 0 {
		e.noteIsolation(l.isolate(gc.Fd()))
	}
	if v, ok := gc.Context().(visitor); ok {
		if v.stays {
			return nil, gnet.None
		}
		return nil, gnet.Close
	}
	adopted, _ := gc.Context().(*adoption)
	if adopted != nil && adopted.bell != nil {
		if adopted.opened = adopted.bell.open(gc); !adopted.opened {
			return nil, gnet.Close
		}
		return nil, gnet.None
	}
	l.enter()
	defer l.leave()
	l.chain.sawRead = true
	e.gate.note(gc.Fd(), e.connections()+1)

	c := newConn(l, gc, addrPortFrom(gc.RemoteAddr()))
	if adopted != nil {
		adopted.opened = true
	}
	if !e.admit(l) {
		if adopted != nil {
			adopted.err = ErrFull
		}
		l.reject(c)
		return nil, gnet.None
	}
	c.Mark = markAdmitted
	gc.SetContext(c)
	l.counters.conns.Add(1)
	l.accept(c, adopted)
	return nil, gnet.None
}

// admit counts a connection against MaxConns and the limit of its loop. It returns false if there is no room.
// socket.Close takes it off again.
func (e *Engine) admit(l *Loop) bool {
	if e.refusing.Load() || l.counters.conns.Load() >= e.loopConns {
		return false
	}
	if e.admitted.Add(1) > int64(e.config.MaxConns) {
		e.admitted.Add(-1)
		e.warnFull()
		return false
	}
	return true
}

// OnTraffic passes the bytes read to the receiver.
func (h *handler) OnTraffic(gc gnet.Conn) gnet.Action {
	data, err := gc.Next(-1)
	c, ok := gc.Context().(*Conn)
	if !ok {
		if b, ok := gc.Context().(*bell); ok {
			b.ring()
		}
		return gnet.None
	}
	if err != nil || len(data) == 0 {
		return gnet.None
	}
	l := c.Loop()
	l.enter()
	defer l.leave()
	l.chain.sawRead = true
	l.counters.reads.Add(1)
	l.counters.bytesIn.Add(int64(len(data)))
	l.gathering.read(gc.Fd(), l.Now())
	c.Read(data)
	l.catchUp()
	return gnet.None
}

// catchUpTurns bounds the turns that a loop takes between two sockets when its mailbox is long.
const catchUpTurns = 4

// catchUp empties a long mailbox before the next socket is read. gnet reads all ready sockets in one pass, up to 64 KiB
// each, and gives posts one turn: without catchUp, clients that flood the loop with events would post answers faster
// than they leave.
func (l *Loop) catchUp() {
	for n := 0; n < catchUpTurns && l.mailbox.waiting() >= l.engine.config.DrainItems; n++ {
		l.turn(false)
	}
}

// OnClose runs when gnet closes a connection: because the peer has, because the engine stops, or inside of
// socket.Close.
func (h *handler) OnClose(gc gnet.Conn, err error) gnet.Action {
	e := h.engine()
	if b, ok := gc.Context().(*bell); ok {
		b.close()
		return gnet.None
	}
	c, ok := gc.Context().(*Conn)
	if !ok {
		return gnet.None
	}
	if c.Closed() {
		return gnet.None
	}
	l := c.Loop()
	l.enter()
	defer l.leave()
	l.chain.sawRead = true
	if err == nil && e.stopping.Load() {
		c.Stopped(ErrStopped)
		return gnet.None
	}
	c.Ended(err)
	return gnet.None
}

// accept asks the application for a Receiver and closes the connection if there is none, or if Accept panics. adopted
// is nil for a connection that came in by a listener.
func (l *Loop) accept(c *Conn, adopted *adoption) {
	take := l.engine.config.Accept
	if adopted != nil && adopted.accept != nil {
		take = adopted.accept
	}
	err, wanted := c.Start(func() Receiver { return take(c) })
	switch {
	case c.Closed():
	case err != nil:
		c.Cut(err)
	case !wanted:
		c.Cut(nil)
	default:
		l.counters.accepted.Add(1)
		c.Flush()
		if adopted != nil && len(adopted.rest) > 0 {
			c.Read(adopted.rest)
		}
	}
}

// reject answers a connection above the limit. The connection lingers for a moment, unless too many do already: the
// kernel sends a reset when a socket is closed with unread input, and the peer would lose the answer.
func (l *Loop) reject(c *Conn) {
	e := l.engine
	gc := c.gc
	l.counters.rejected.Add(1)
	c.Mark = markRejected
	gc.SetContext(c)
	lingers := e.rejecting.Add(1) <= e.rejectsMax && len(e.config.Reject) > 0
	c.Last(e.config.Reject)
	c.Flush()
	if c.Closed() || lingers {
		return
	}
	_, _ = unix.Read(gc.Fd(), l.scratch[:cap(l.scratch)]) // less unread input makes the reset less likely
	c.Cut(nil)
}
