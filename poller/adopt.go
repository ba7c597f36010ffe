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
	// adoptEndMax bounds how long the end of gnet waits for adoptions that have begun. Each needs a turn of its loop,
	// so the wait is only in vain if a loop has ended by an error.
	adoptEndMax = 5 * time.Second
	// revealTries bounds, for each loop, the connections to ourselves that make a listening engine reveal its loops.
	revealTries = 8
	// revealWait is how long one of these connections may take to arrive.
	revealWait = 100 * time.Millisecond
	revealPoll = time.Millisecond
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

// enroll gives c to a loop of gnet and waits for OnOpen. The caller has begun an adoption.
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
	<-opened // closed when c is closed
	if r.Err != nil {
		return fmt.Errorf("poller: adopt: %w", r.Err)
	}
	if !a.opened {
		return errAdopt
	}
	return a.err
}

// errAdopt means that the system refused to watch the descriptor; gnet has logged the reason.
var errAdopt = errors.New("poller: adopt: the connection could not be watched")

// adoption is gnet's context of a connection that is being adopted. The loop reads accept and rest, and writes opened
// and err, before Adopt continues.
type adoption struct {
	rest   []byte
	accept func(c *Conn) Receiver
	bell   *bell // not nil: no connection of a client
	opened bool
	err    error
}

// adoptions counts the adoptions under way. gnet must not end before them: it would leave their descriptors open and
// their goroutines waiting. Safe for concurrent use.
type adoptions struct {
	mu    sync.Mutex
	open  bool          // guarded by mu: adoptions may begin
	count int           // guarded by mu
	idle  chan struct{} // guarded by mu: set by close, closed by the last adoption
}

func (a *adoptions) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = true
}

// begin counts an adoption that begins. It returns false if the loops do not run.
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

// close refuses further adoptions and waits for those that have begun. Call it while the loops still run.
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

// reach returns gnet's loop for l. If gnet does not reveal that one, it returns another loop that gnet has revealed.
func (e *Engine) reach(l *Loop) (gnet.EventLoop, error) {
	if el := l.gnetLoop(); el != nil {
		return el, nil
	}
	e.revealLoops()
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

// gnetLoop returns gnet's loop, or nil if gnet has not revealed it.
func (l *Loop) gnetLoop() gnet.EventLoop {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	return l.bound
}

func (e *Engine) revealedLoops() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.revealed
}

// revealLoops makes a listening engine reveal all its loops. gnet reveals a loop with its first connection, and only
// gnet's acceptor distributes connections over the loops. So revealLoops connects to a listener of the engine and
// closes at once, until every loop has had a connection.
func (e *Engine) revealLoops() {
	e.revealing.Lock()
	defer e.revealing.Unlock()
	for try := 0; try < revealTries*len(e.loops); try++ {
		shown := e.revealedLoops()
		if shown == len(e.loops) {
			return
		}
		e.nudge()
		for wait := time.Now().Add(revealWait); e.revealedLoops() == shown && time.Now().Before(wait); {
			time.Sleep(revealPoll)
		}
	}
}

// runClient runs gnet's Client, from start to end, for an engine without listeners.
func (e *Engine) runClient() error {
	client, err := gnet.NewClient((*handler)(e), e.options()...)
	if err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	err = e.revealClientLoops(client)
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

// revealClientLoops sends a connection to each loop. gnet enrolls a connection on the loop with the fewest, so all of
// them stay open until the last has arrived.
func (e *Engine) revealClientLoops(client *gnet.Client) error {
	for range e.loops {
		near, far, err := connPair()
		if err != nil {
			return err
		}
		defer closeFile(far)
		if _, err := client.EnrollContext(near, visitor{stays: true}); err != nil {
			return err
		}
	}
	return nil
}
