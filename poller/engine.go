package poller

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/seed58c87869/siren/poller/stream"
)

const (
	// lastRoundsMax bounds the rounds of tasks that post tasks after gnet has ended.
	lastRoundsMax = 10_000
	// lingerShare: rejected connections that linger may take one lingerShare-th of FDReserve's base.
	lingerShare = 8
	// nudgeTimeout bounds a connection of the engine to itself.
	nudgeTimeout = 200 * time.Millisecond
)

// Engine listens and runs the loops. It is safe for concurrent use.
type Engine struct {
	config Config
	limits stream.Limits
	addrs  []address
	// listeners are open from Start on. The goroutine of Start uses them, then gnet's.
	listeners []*listener

	loops     []*Loop
	kicker    *kicker
	writables writables
	gate      gate
	logger    *gnetLogger

	admitted   atomic.Int64 // connections counted against MaxConns
	full, low  Throttle     // for the warnings that MaxConns is reached and that the gate is shut
	rejecting  atomic.Int64 // rejected connections that still have a descriptor
	rejectsMax int64        // how many rejected connections may linger
	loopConns  int64        // how many connections a loop may have
	refusing   atomic.Bool

	adoptions adoptions
	revealing sync.Mutex    // held by revealLoops
	halt      chan struct{} // closed to end an engine without listeners
	halting   sync.Once     // closes halt

	started  atomic.Bool
	stopping atomic.Bool
	failed   atomic.Bool // accept failed for good
	claimed  bool        // the engine has set privateRunning
	booted   chan struct{}
	looping  chan struct{} // with PrivateFiles: closed when gnet has made its loops
	ticked   sync.Once     // closes looping
	done     chan struct{}

	mu      sync.Mutex
	gnet    gnet.Engine // guarded by mu until booted
	bound   []net.Addr  // guarded by mu until booted
	bootErr error       // guarded by mu until booted
	// accepting has the descriptors that gnet accepts from. Guarded by mu.
	accepting []int
	err       error // guarded by mu
	revealed  int   // guarded by mu: the number of loops that gnet has revealed
	shown     atomic.Pointer[map[gnet.EventLoop]*Loop]
}

// New checks cfg and makes an engine. Errors are of type *ConfigError or *FilesError, or report that the limit of open
// files cannot be read. The loops accept posts at once and run them from Start on.
func New(cfg Config) (*Engine, error) {
	filesMax, err := openFilesMax()
	if err != nil {
		return nil, err
	}
	addrs, err := parseAddresses(cfg.Addrs)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(filesMax); err != nil {
		return nil, err
	}
	if err := cfg.validatePrivate(addrs); err != nil {
		return nil, err
	}
	for i, a := range addrs {
		if cfg.SharePort && a.network == "unix" {
			return nil, &ConfigError{"Addrs", fmt.Sprintf("%q is a unix socket, which processes cannot share", cfg.Addrs[i])}
		}
		cfg.ReusePort = cfg.ReusePort && a.network != "unix"
	}
	e := &Engine{
		config: cfg, limits: cfg.limits(), addrs: addrs, kicker: newKicker(cfg.Loops), logger: &gnetLogger{log: cfg.Logger},
		booted: make(chan struct{}), looping: make(chan struct{}), done: make(chan struct{}),
		halt: make(chan struct{}),
	}
	e.logger.onAccept = e.acceptFailed
	e.setUpGate(filesMax)
	e.shown.Store(&map[gnet.EventLoop]*Loop{})
	for i := range cfg.Loops {
		e.loops = append(e.loops, newLoop(e, i))
	}
	return e, nil
}

// setUpGate divides the descriptors of FDReserve: some are for the shortest listen queues, the others for the
// rest of the process and for rejected connections that linger.
func (e *Engine) setUpGate(filesMax int) {
	cfg := &e.config
	e.gate.nudge, e.gate.conns, e.gate.warn = e.nudge, e.connections, e.warnLow
	longest := min(cfg.Backlog, listenQueueMax())
	e.gate.queues = queueLengths{longest: longest, shortest: min(longest, backlogMin)}
	queued := min(len(e.addrs)*e.gate.queues.shortest, cfg.FDReserve)
	if cfg.PrivateFiles {
		queued = 0
	}
	own := cfg.FDReserve - queued
	e.rejectsMax = int64(own / lingerShare)
	e.gate.shutAt, e.gate.room = filesMax-queued-own/2, filesMax-own
	e.loopConns = math.MaxInt64
	if cfg.PrivateFiles {
		// A loop refuses right after it has accepted, so MaxConns is enough. The gate looks at the shared table.
		e.gate.shutAt, e.gate.room = math.MaxInt, math.MaxInt
		e.loopConns = int64(cfg.tableConns(filesMax))
	}
}

// warnFull logs now and then that connections are rejected because of MaxConns.
func (e *Engine) warnFull() {
	if e.full.Pass() {
		e.config.Logger.Warn("the limit of connections is reached, new ones are refused", "maxConns", e.config.MaxConns)
	}
}

// warnLow logs now and then that the gate has shut.
func (e *Engine) warnLow() {
	if e.low.Pass() {
		e.config.Logger.Warn("file descriptors run low, new connections wait", "connections", e.connections(),
			"shut", e.gate.shuts.Load())
	}
}

// Conns returns the number of connections served now. Safe for concurrent use.
func (e *Engine) Conns() int { return int(e.admitted.Load()) }

// connections returns the number of connections with a descriptor that the loops have seen.
func (e *Engine) connections() int { return int(e.admitted.Load() + e.rejecting.Load()) }

// Start listens on all addresses and returns when they accept connections. If one of them cannot be listened on, for
// example because it is in use, Start returns a *ListenError and leaves none of them open. Without addresses Start runs
// the loops, for Adopt. An engine can be started once.
func (e *Engine) Start() error {
	if e.started.Swap(true) {
		if e.stopping.Load() {
			return ErrStopped
		}
		return ErrStarted
	}
	err := e.claimFiles()
	if err == nil {
		err = e.writables.start(e.loops)
	}
	if err == nil {
		err = e.openListeners()
	}
	if err != nil {
		e.writables.stop()
		e.releaseFiles()
		e.mu.Lock()
		e.err = err
		e.mu.Unlock()
		close(e.done)
		return err
	}
	go e.kicker.run()
	for _, l := range e.loops {
		l.schedule() // for what was set up before Start
	}
	ended := make(chan error, 1)
	go func() { ended <- e.run() }()
	select {
	case <-e.booted:
		return e.ready()
	case err := <-ended:
		return err
	}
}

// ready returns the error of boot, if any. With PrivateFiles it gives the loops their own descriptors.
func (e *Engine) ready() error {
	e.mu.Lock()
	err := e.bootErr
	e.mu.Unlock()
	if err != nil || !e.config.PrivateFiles {
		return err
	}
	return e.isolate()
}

// boot runs when gnet has its loops, before gnet accepts.
func (e *Engine) boot(g gnet.Engine) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer close(e.booted)
	defer e.adoptions.start()
	e.gnet = g
	if e.bootErr = e.install(g); e.bootErr != nil {
		return e.bootErr
	}
	for _, ln := range e.listeners {
		e.bound = append(e.bound, ln.bound)
	}
	return nil
}

// nudge makes gnet's acceptor look at the listen queues again, by a connection of the engine to itself.
func (e *Engine) nudge() {
	for _, addr := range e.Addrs() {
		if c, err := net.DialTimeout(addr.Network(), addr.String(), nudgeTimeout); err == nil {
			_ = c.Close()
		}
	}
}

// loopOf returns the Loop of a gnet loop. It assigns one to a gnet loop that is new.
func (e *Engine) loopOf(el gnet.EventLoop) *Loop {
	if l := (*e.shown.Load())[el]; l != nil {
		return l
	}
	e.mu.Lock()
	l := e.loops[e.revealed]
	e.revealed++
	next := make(map[gnet.EventLoop]*Loop, e.revealed)
	for k, v := range *e.shown.Load() {
		next[k] = v
	}
	next[el] = l
	e.shown.Store(&next)
	e.mu.Unlock()
	l.bind(el)
	return l
}

// finish cleans up when gnet has ended: only this goroutine and the kicker use the loops from then on.
func (e *Engine) finish(err error) {
	e.adoptions.close()
	for _, l := range e.loops {
		l.kill()
	}
	e.kicker.stop()
	e.closeListeners()
	e.gate.close()
	e.runLast()
	e.awaitThreads()
	e.writables.stop()
	for _, l := range e.loops {
		l.closePauser()
	}
	e.releaseFiles()

	e.mu.Lock()
	e.err = e.endCause(err)
	e.mu.Unlock()
	close(e.done)
}

// endCause returns the cause of gnet's end: nil for a Stop. The caller holds mu.
func (e *Engine) endCause(err error) error {
	switch {
	case e.bootErr != nil:
		return e.bootErr
	case e.bound == nil && err != nil && len(e.addrs) > 0:
		return fmt.Errorf("poller: listen: %w", err)
	case e.stopping.Load():
		return nil
	}
	// gnet returns nil even when accept has failed. What it has logged last is the cause.
	if cause := e.logger.cause(); err == nil && cause != "" {
		err = errors.New(cause)
	}
	err = errors.Join(ErrEnded, err)
	e.config.Logger.Error("poller: gnet ended without Stop", "error", err)
	return err
}

// runLast runs the remaining tasks in rounds, because tasks may post to other loops.
func (e *Engine) runLast() {
	for round := 0; ; round++ {
		idle := true
		for _, l := range e.loops {
			l.own.Lock()
			l.driver.Store(goroutineID())
			l.turn(false)
			idle = l.mailbox.close(false) && idle
			l.own.Unlock()
		}
		if idle || round >= lastRoundsMax {
			break
		}
	}
	for _, l := range e.loops {
		l.mailbox.close(true)
		if l.alarm != nil {
			l.alarm.Stop()
		}
	}
}

// Stop closes the listeners and all connections without flushing them (their Receivers get ErrStopped) and runs the
// posted tasks. It returns when everything has ended or ctx has. It may be called more than once, and before Start.
func (e *Engine) Stop(ctx context.Context) error {
	first := !e.stopping.Swap(true)
	if !e.started.Swap(true) {
		close(e.done)
		return nil
	}
	select {
	case <-e.booted:
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	if first {
		go e.stopGnet()
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopGnet stops gnet. gnet's Stop checks only every 500 ms whether it has ended; stopGnet cancels it as soon as the
// engine has ended.
func (e *Engine) stopGnet() {
	if len(e.addrs) == 0 {
		e.halting.Do(func() { close(e.halt) })
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-e.done
		cancel()
	}()
	_ = e.gnet.Stop(ctx) // its errors mean that it has ended already
}

// Done returns a channel that is closed when the engine has ended, by Stop or by itself.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Err returns nil while the engine runs and after Stop. It returns an error that wraps ErrEnded if gnet ended without
// Stop; the process should then exit or make a new engine.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Addr returns the first address, with the real port. It is nil before Start, and for an engine without addresses.
func (e *Engine) Addr() net.Addr {
	if addrs := e.Addrs(); len(addrs) > 0 {
		return addrs[0]
	}
	return nil
}

// Addrs returns the real addresses in the order of Config.Addrs. It is nil before Start.
func (e *Engine) Addrs() []net.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]net.Addr(nil), e.bound...)
}

// Loops returns all loops in the order of their Index. The caller must not change the slice.
func (e *Engine) Loops() []*Loop { return e.loops }

// Config returns the configuration, including its defaults.
func (e *Engine) Config() Config { return e.config }

// Refuse makes the engine answer every new connection with Config.Reject and close it, for draining. Existing
// connections are not affected.
func (e *Engine) Refuse(on bool) { e.refusing.Store(on) }
