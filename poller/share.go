package poller

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/poller/portshare"
)

// This file has what an engine with Config.SharePort does: its sockets are bound first and listen last, it can have new
// connections come to it, and it can stop to listen without losing any.

// errNotShared means that the engine does not share its ports.
var errNotShared = errors.New("poller: Config.SharePort is not set, or the engine does not listen")

// bindShared binds the address. The gate listens, when nothing can fail any more.
func (a address) bindShared(cfg *Config) (*listener, error) {
	fd, err := portshare.Bind(a.family(), a.target)
	if err != nil {
		return nil, err
	}
	ln := &listener{address: a, fd: fd}
	if err = setTCPOptions(fd, cfg); err == nil {
		ln.bound, err = portshare.Bound(fd)
	}
	if err != nil {
		ln.close()
		return nil, err
	}
	return ln, nil
}

// TakeOver has new connections at all addresses come to this engine, from an engine of another process that shares them
// and has listened before. The other one should then stop to listen. Safe for concurrent use.
func (e *Engine) TakeOver() error {
	if !e.config.SharePort {
		return errNotShared
	}
	return e.gate.each(portshare.Steer)
}

// StopListening closes the listening sockets behind the connections in their queues, which are served, as are all
// others. Call it when another process has taken over. Safe for concurrent use.
func (e *Engine) StopListening() error {
	if !e.config.SharePort {
		return errNotShared
	}
	// gnet's acceptor cannot be stopped. It gets a socket to which nobody connects; the gate still has the real ones.
	idle, err := idleListener()
	if err != nil {
		return err
	}
	defer closeFile(idle)
	e.mu.Lock()
	for _, at := range e.accepting {
		err = errors.Join(err, replaceFile(idle, at))
	}
	e.mu.Unlock()
	if err != nil {
		return err
	}
	for _, fd := range e.gate.yield() {
		err = errors.Join(err, e.acceptQueued(fd), os.NewSyscallError("close", unix.Close(fd)))
	}
	return err
}

// acceptQueued serves the connections in the queue of a listening socket.
func (e *Engine) acceptQueued(fd int) error {
	for next := 0; ; next++ {
		c, err := accept(fd)
		switch {
		case err == nil:
			// A connection that is refused, or has gone, is closed by then.
			_ = e.adoptFile(e.loops[next%len(e.loops)], c)
		case err == unix.EAGAIN:
			return nil
		case err != unix.EINTR && err != unix.ECONNABORTED:
			return os.NewSyscallError("accept", err)
		}
	}
}

// adoptFile adopts a connection by its descriptor.
func (e *Engine) adoptFile(l *Loop, fd int) error {
	f := os.NewFile(uintptr(fd), "connection")
	c, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return err
	}
	return l.Adopt(c, nil, nil)
}
