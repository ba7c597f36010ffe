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

// This file and private_linux.go give each loop a table of file descriptors of its own (Config.PrivateFiles).
//
// gnet opens everything that its loops need in one table: a listener, an epoll set and an event file for each loop. It
// calls nothing on a loop before the loop's first connection. So Start sends a connection to each loop, which then
// moves to a thread with a table of its own. If a client is faster than Start, its connection has the same effect. The
// new table begins as a copy of the old one:
//
//   - Sockets of the rest of the process are closed in the copy, because a socket stays open until its last descriptor
//     is closed. For the same reason the connection that came to the loop is closed in the old table.
//   - Event files and epoll sets stay open, those of all loops and of Go's runtime: a loop wakes other loops, and the
//     runtime its poller, from the loop's thread, by numbers that must be the same in every table.
//   - Other files stay open, so that a log file continues to work.
//
// The goroutine stays locked to the thread. So the thread ends with gnet's loop, and its table with it.

const (
	// filesPerLoop is the number of descriptors of each loop in every table: its epoll set and its event file.
	filesPerLoop = 2
	// threadEndMax bounds the wait for the threads of ended loops.
	threadEndMax = 5 * time.Second
	threadPoll   = 100 * time.Microsecond
)

// privateRunning is set while an engine with PrivateFiles runs.
var privateRunning atomic.Bool

// visitor is gnet's context of a connection that the engine sends to its own loops.
type visitor struct {
	stays bool // open until its other end closes
}

// validatePrivate checks the requirements of PrivateFiles.
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

// claimFiles returns ErrPrivateFiles if an engine with PrivateFiles runs in this process.
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

// isolate gives each loop a thread and a table of its own. If that fails it stops the engine.
func (e *Engine) isolate() error {
	err := e.visitLoops()
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

// noteIsolation keeps the error of isolating a loop, if any. It is called on the loop.
func (e *Engine) noteIsolation(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bootErr = errors.Join(e.bootErr, err)
}

// visitLoops sends a connection to each loop and returns when all have arrived. gnet gives registered connections to
// its loops in turn, and with a listener for each loop nothing else takes a turn.
func (e *Engine) visitLoops() error {
	select {
	case <-e.looping:
	case <-e.done:
		return e.endedEarly()
	}
	for range e.loops {
		if err := e.visitNext(); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) visitNext() error {
	near, far, err := connPair()
	if err != nil {
		return err
	}
	defer closeFile(far)
	ctx := gnet.NewNetConnContext(gnet.NewContext(context.Background(), visitor{}), near)
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

// connPair returns a pair of connected sockets: one for gnet, and the descriptor of the other.
func connPair() (near net.Conn, far int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, 0, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	file := os.NewFile(uintptr(fds[0]), "visitor")
	near, err = net.FileConn(file)
	_ = file.Close()
	if err != nil {
		_ = unix.Close(fds[1])
		return nil, 0, err
	}
	return near, fds[1], nil
}

func closeFile(fd int) { _ = unix.Close(fd) }

// awaitThreads waits until the threads of the loops have ended, and with them the last copies of the listeners.
func (e *Engine) awaitThreads() {
	deadline := time.Now().Add(threadEndMax)
	for _, l := range e.loops {
		for l.thread != 0 && threadLives(l.thread) && time.Now().Before(deadline) {
			time.Sleep(threadPoll)
		}
	}
}
