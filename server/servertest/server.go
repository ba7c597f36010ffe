package servertest

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/attach"
	"github.com/seed58c87869/siren/server/logqueue"
	"github.com/seed58c87869/siren/session"
)

// Server is a server in memory. It is owned by the test's goroutine; the embedded Server is safe for concurrent use.
type Server struct {
	*server.Server
	t      testing.TB
	cfg    server.Config
	loops  []*loop
	accept func(c session.StreamConn, loop int) session.Receiver
	// links are the clients' connections that have not ended, in the order of their opening.
	links []*link
	// dialled counts the connections, which are distributed over the loops in turn.
	dialled int

	// logs is the queue of Config.Logger.
	logs *logqueue.Handler
	// panics has the panics of handlers; forgiven is the number of those that the test has taken.
	panics   *panicLog
	forgiven uint64

	clock    clock
	elapsed  atomic.Int64 // clock.now, for any goroutine
	patience time.Duration
	manual   bool
	closed   bool
	closeErr error
}

// defaultPatience is how long handlers may run, in real time, before the test fails.
const defaultPatience = 10 * time.Second

// loop is an event loop that reports posts to the test.
type loop struct {
	*pollertest.Loop
	// wake has room for one signal.
	wake chan<- struct{}
	// elapsed is what has passed on the kit's clock, which all loops share.
	elapsed *atomic.Int64
}

// Elapsed is the server's clock for what is not a loop's.
func (l *loop) Elapsed() time.Duration { return time.Duration(l.elapsed.Load()) }

// Post implements attach.Loop.
func (l *loop) Post(t interface{ Run(loop int) }) {
	l.Loop.Post(t)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// PostFunc implements attach.Loop.
func (l *loop) PostFunc(fn func()) { l.Post(postedFunc(fn)) }

// TryPost implements attach.Loop. A mailbox in memory is never full.
func (l *loop) TryPost(t interface{ Run(loop int) }) bool {
	l.Post(t)
	return true
}

type postedFunc func()

// Run implements the mailbox's task.
func (f postedFunc) Run(int) { f() }

// New makes a server that is closed at the end of the test. The test fails if handlers still run then, or if one
// panicked; see Panics. The server has one event loop unless cfg.Loops is set, and logs nothing unless cfg.Logger is
// set. An invalid configuration ends the test, and so does every other error in this package.
func New(t testing.TB, cfg server.Config, opts ...server.Option) *Server {
	t.Helper()
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	panics := new(panicLog)
	logs := queueLog(&cfg, panics)
	srv, err := server.New(cfg, opts...)
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	ts := &Server{Server: srv, t: t, cfg: cfg, logs: logs, panics: panics, patience: defaultPatience}
	wake := make(chan struct{}, 1)
	var attached []attach.Loop
	for i := range cfg.Loops {
		l := &loop{pollertest.NewLoop(i), wake, &ts.elapsed}
		ts.loops, attached = append(ts.loops, l), append(attached, l)
	}
	borrow := func(c session.StreamConn, home int) session.Conn {
		return c.(*pollertest.Conn).Borrow(ts.loops[home].Loop)
	}
	if ts.accept, err = attach.Server(srv, attached, borrow); err != nil {
		t.Fatalf("servertest: %v", err)
	}
	ts.clock = newClock(ts.loops[0].Now(), wake)
	t.Cleanup(func() {
		t.Helper()
		ts.hangUp()
		if err := ts.Close(); err != nil {
			t.Errorf("servertest: Close: %v", err)
		}
		if n := srv.Stats().Handlers; n > 0 {
			t.Errorf("servertest: %d handlers run on after Close:\n%s", n, handlers())
		}
		ts.failOfPanics()
	})
	return ts
}

// SetPatience sets how long handlers may run, in real time, before the test fails. Default 10 s; only a failing test
// takes that long.
func (ts *Server) SetPatience(d time.Duration) { ts.patience = d }

// Manual stops the waiting for handlers: calls on clients return when the loops are idle. Only Settle, Advance, and
// calls that expect something from a client wait. It is for tests whose handlers wait for the test.
func (ts *Server) Manual() { ts.manual = true }

// Close ends all connections with "server shutting down" and closes the server, like server.Server's Close, while the
// loops run. The end of the test closes it too, after cutting the connections one by one, so a test need not call
// Close. It does not wait for clients that do not fetch their packets.
func (ts *Server) Close() error {
	if ts.closed {
		return ts.closeErr
	}
	ts.closed = true
	done := make(chan error, 1)
	go func() { done <- ts.Server.Close() }()
	for {
		ts.work()
		select {
		case ts.closeErr = <-done:
			ts.work()
			return ts.closeErr
		case <-ts.clock.wake:
		case <-time.After(time.Millisecond):
			// Clients that do not fetch what is left for them are not waited for.
			if !ts.clock.bubble {
				ts.turn(ts.clock.now + time.Second)
			}
		}
	}
}

// hangUp cuts the clients' connections one by one, so that their disconnect handlers do not run concurrently. It leaves
// handlers that block to Close.
func (ts *Server) hangUp() {
	for len(ts.links) > 0 {
		ts.links[0].end(reasonClose)
		if ts.manual {
			ts.work()
		} else if !ts.settles() {
			return
		}
	}
}

// dial opens a connection to the next loop in turn.
func (ts *Server) dial(o *options) *wire {
	i := ts.dialled % len(ts.loops)
	ts.dialled++
	if o.loop >= 0 {
		i = o.loop % len(ts.loops)
	}
	l := ts.loops[i]
	c := pollertest.NewConn(l.Loop, nil)
	if o.address.IsValid() {
		c.SetAddrs(o.address, c.LocalAddr())
	}
	l.SetQueueBytesMax(max(16<<20, ts.cfg.MaxResponse, ts.cfg.MaxPayload, ts.cfg.Queue.MaxBytes) + 64<<10)
	l.Do(func() { c.SetReceiver(ts.accept(c, i)) })
	return &wire{conn: c}
}

// forget removes a connection that has ended.
func (ts *Server) forget(l *link) {
	if i := slices.Index(ts.links, l); i >= 0 {
		ts.links = slices.Delete(ts.links, i, i+1)
	}
}

// inBubble reports whether the calling goroutine is in a bubble of testing/synctest, where Wait does not panic.
func inBubble() (in bool) {
	defer func() { in = recover() == nil }()
	synctest.Wait()
	return true
}
