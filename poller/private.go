package poller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// How loops come to descriptors of their own (Config.PrivateFiles).
//
// gnet makes everything that its loops need in one table: a listener, an epoll set and an event file for each. It has
// no callback on a loop before the first connection, so Start sends one to each loop, which takes the opportunity to
// leave for a thread and a table of its own. A client that is faster than Start does the same for its loop. The table
// is a copy of the old one at that moment:
//
//   - The sockets of everybody else are closed in the copy, since a socket is open until its last descriptor is closed, and the
//     connection that brought the loop here is closed in the old table, for the same reason.
//   - Event files and epoll sets stay, of all loops and of Go's runtime: a loop wakes the others, and the runtime its
//     poller, from the thread that it runs on, by the number that they have in every table.
//   - Files that are no sockets stay, so that a log file goes on.
//
// The thread ends with gnet's loop, and its table with it, because the goroutine stays locked to it.

const (
	// filesPerLoop is what every table holds of every loop: its epoll set and its event file.
	filesPerLoop = 2
	// threadEndMax bounds the wait for the threads of loops that have ended.
	threadEndMax = 5 * time.Second
	threadPoll   = 100 * time.Microsecond
)

// privateRunning is set while an engine with PrivateFiles runs.
var privateRunning atomic.Bool

// envoy is the context of the connections that Start sends to the loops.
type envoy struct {
	stays bool // until its other end closes
}

// validatePrivate checks what PrivateFiles needs.
func (c *Config) validatePrivate(addrs []address) error {
	if !c.PrivateFiles {
		return nil
	}
	if !privatePossible {
		return &ConfigError{"PrivateFiles", "needs Linux"}
	}
	if len(addrs) == 0 {
		return &ConfigError{"PrivateFiles", "needs an address to listen on"}
	}
	for _, a := range addrs {
		if a.network == "unix" {
			return &ConfigError{"PrivateFiles", fmt.Sprintf("is not possible with %s, which only one listener can have", a)}
		}
	}
	return nil
}

// claimFiles refuses to start beside an engine with PrivateFiles.
func (e *Engine) claimFiles() error {
	if !e.config.PrivateFiles {
		if privateRunning.Load() {
			return ErrPrivateFiles
		}
		return nil
	}
	if !privateRunning.CompareAndSwap(false, true) {
		return ErrPrivateFiles
	}
	e.claimed = true
	return nil
}

func (e *Engine) releaseFiles() {
	if e.claimed {
		e.claimed = false
		privateRunning.Store(false)
	}
}

// isolate gives each loop a thread and a table of its own. When that fails the engine is stopped.
func (e *Engine) isolate() error {
	err := e.reachLoops()
	e.mu.Lock()
	if err = errors.Join(e.bootErr, err); err != nil {
		err = fmt.Errorf("poller: private files: %w", err)
		e.bootErr = err
	}
	e.mu.Unlock()
	if err != nil {
		_ = e.Stop(context.Background())
	}
	return err
}

// isolated notes what went wrong on a loop. It is called on the loop.
func (e *Engine) isolated(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bootErr = errors.Join(e.bootErr, err)
}

// reachLoops sends a connection to each loop and returns when all have seen theirs. gnet hands what is registered to
// its loops in turn, and with a listener per loop nobody else takes turns.
func (e *Engine) reachLoops() error {
	select {
	case <-e.looping:
	case <-e.done:
		return e.endedEarly()
	}
	for range e.loops {
		if err := e.reachNext(); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) reachNext() error {
	near, far, err := connPair()
	if err != nil {
		return err
	}
	defer closeFile(far)
	ctx := gnet.NewNetConnContext(gnet.NewContext(context.Background(), envoy{}), near)
	opened, err := e.gnet.Register(ctx)
	if err != nil {
		_ = near.Close()
		return err
	}
	select {
	case r := <-opened:
		return r.Err
	case <-e.done:
		return e.endedEarly()
	}
}

func (e *Engine) endedEarly() error {
	if err := e.Err(); err != nil {
		return err
	}
	return ErrStopped
}

// connPair makes a connected pair of sockets, one as gnet takes it.
func connPair() (near net.Conn, far int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, 0, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	file := os.NewFile(uintptr(fds[0]), "envoy")
	near, err = net.FileConn(file)
	_ = file.Close()
	if err != nil {
		_ = unix.Close(fds[1])
		return nil, 0, err
	}
	return near, fds[1], nil
}

func closeFile(fd int) { _ = unix.Close(fd) }

// awaitThreads returns when the threads of the loops are gone, and with them the last copies of the listeners.
func (e *Engine) awaitThreads() {
	deadline := time.Now().Add(threadEndMax)
	for _, l := range e.loops {
		for l.thread != 0 && threadLives(l.thread) && time.Now().Before(deadline) {
			time.Sleep(threadPoll)
		}
	}
}
