package poller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
)

const (
	// adoptEndMax bounds how long the end of gnet waits for connections that are being handed over. Each takes a turn
	// of its loop, so only loops that have ended already, by an error, make it wait in vain.
	adoptEndMax = 5 * time.Second
	// showTries bounds the connections to ourselves, for each loop, that make a listening engine show its loops.
	showTries = 8
	// showWait is how long one of them may take to arrive.
	showWait = 100 * time.Millisecond
	showPoll = time.Millisecond
)

// Adopt takes over a connection that other code has accepted or dialed, such as a hijacked connection of a net/http
// server. gnet gets the descriptor, and the connection is then like any other of this loop. rest is the input read
// from it before; the receiver gets it first. accept replaces Config.Accept unless it is nil.
//
// The engine owns c and rest from the call on; it closes c if there is an error. c must be a *net.TCPConn or a
// *net.UnixConn. Deadlines set on it have no effect; socket options stay as they are. A connection that comes in before
// gnet has revealed this loop may go to another one. Errors: ErrStopped before Start and after Stop; ErrFull above
// MaxConns or while refusing, when the peer gets Config.Reject; and those of the system.
//
// Adopt returns after accept, so it must not be called on a loop. Safe for concurrent use.
func (l *Loop) Adopt(c net.Conn, rest []byte, accept func(c *Conn) Receiver) error {
	e := l.engine
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		_ = c.Close()
		return fmt.Errorf("poller: a %T cannot be adopted", c)
	}
	if e.config.PrivateFiles {
		_ = c.Close()
		return ErrPrivateFiles
	}
	if !e.adoptions.begin() {
		_ = c.Close()
		return ErrStopped
	}
	defer e.adoptions.end()
	el, err := e.reach(l)
	if err != nil {
		_ = c.Close()
		return err
	}
	return e.enroll(el, c, &adoption{rest: rest, accept: accept})
}

// enroll gives c to a loop of gnet and waits for OnOpen. Called within an adoption.
func (e *Engine) enroll(el gnet.EventLoop, c net.Conn, a *adoption) error {
	if tcp, ok := c.(*net.TCPConn); ok && e.config.SendBufferBytes > 0 {
		_ = tcp.SetWriteBuffer(e.config.SendBufferBytes)
	}
	opened, err := el.Enroll(gnet.NewContext(context.Background(), a), c)
	if err != nil {
		_ = c.Close()
		return fmt.Errorf("poller: adopt: %w", err)
	}
	r := <-opened
	<-opened // is closed when c is
	if r.Err != nil {
		return fmt.Errorf("poller: adopt: %w", r.Err)
	}
	if !a.opened {
		return errAdopt
	}
	return a.err
}

// errAdopt: the system would not watch the descriptor; gnet has logged why.
var errAdopt = errors.New("poller: adopt: the connection could not be watched")

// adoption is the context of a connection that is being handed over. accept and rest are read, and opened and err are
// written, by the loop before Adopt goes on.
type adoption struct {
	rest   []byte
	accept func(c *Conn) Receiver
	opened bool
	err    error
}

// adoptions counts the connections that are being handed over. gnet must not end meanwhile: it would leave their
// descriptors open, and their goroutines waiting. It is safe for concurrent use.
type adoptions struct {
	mu    sync.Mutex
	open  bool          // guarded by mu: the loops run
	count int           // guarded by mu
	idle  chan struct{} // guarded by mu: set by close, which waits for it
}

func (a *adoptions) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = true
}

// begin is false when the loops do not run.
func (a *adoptions) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open {
		a.count++
	}
	return a.open
}

func (a *adoptions) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count--
	if a.count == 0 && a.idle != nil {
		close(a.idle)
		a.idle = nil
	}
}

// close lets no more begin and waits for those that have, while the loops still run.
func (a *adoptions) close() {
	a.mu.Lock()
	a.open = false
	idle := make(chan struct{})
	if a.count > 0 {
		a.idle = idle
	} else {
		close(idle)
	}
	a.mu.Unlock()
	timer := time.NewTimer(adoptEndMax)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// reach returns gnet's loop of l, or another one that gnet has shown when it does not show that one.
func (e *Engine) reach(l *Loop) (gnet.EventLoop, error) {
	if el := l.gnetLoop(); el != nil {
		return el, nil
	}
	e.showLoops()
	if el := l.gnetLoop(); el != nil {
		return el, nil
	}
	for _, other := range e.loops {
		if el := other.gnetLoop(); el != nil {
			return el, nil
		}
	}
	return nil, errUnreached
}

var errUnreached = errors.New("poller: adopt: no event loop can be reached")

// gnetLoop is nil as long as gnet has not shown the loop.
func (l *Loop) gnetLoop() gnet.EventLoop {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	return l.bound
}

func (e *Engine) shownLoops() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.shownNow
}

// showLoops makes a listening engine show all its loops. gnet shows one with a connection only, and what hands
// connections to loops in turn is its acceptor's alone; so they come in by the listener, from ourselves, and leave at
// once.
func (e *Engine) showLoops() {
	e.showing.Lock()
	defer e.showing.Unlock()
	for try := 0; try < showTries*len(e.loops); try++ {
		shown := e.shownLoops()
		if shown == len(e.loops) {
			return
		}
		e.nudge()
		for wait := time.Now().Add(showWait); e.shownLoops() == shown && time.Now().Before(wait); {
			time.Sleep(showPoll)
		}
	}
}

// runUnheard is gnet from start to end for an engine without listeners.
func (e *Engine) runUnheard() error {
	client, err := gnet.NewClient((*handler)(e), e.options()...)
	if err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	err = e.showUnheard(client)
	e.mu.Lock()
	e.bootErr = err
	e.mu.Unlock()
	if err == nil {
		e.adoptions.start()
		close(e.booted)
		<-e.halt
	}
	return errors.Join(err, client.Stop())
}

// showUnheard sends a connection to each loop. gnet gives what is enrolled to the loop with the fewest, so all stay
// until the last has arrived.
func (e *Engine) showUnheard(client *gnet.Client) error {
	for range e.loops {
		near, far, err := connPair()
		if err != nil {
			return err
		}
		defer closeFile(far)
		if _, err := client.EnrollContext(near, envoy{stays: true}); err != nil {
			return err
		}
	}
	return nil
}
