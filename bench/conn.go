package bench

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// endpoint is the protocol on top of a connection. All calls come from the worker's loop; each may close the
// connection.
type endpoint interface {
	// opened reports that the connection is established.
	opened()
	// received passes bytes, which are valid during the call, and the time at which they were read. An error closes the
	// connection.
	received(data []byte, now int64) error
	// closed reports that the connection ended for another reason than a call of conn.close.
	closed(err error)
}

// conn is one non-blocking TCP connection; loop-owned.
type conn struct {
	w          *worker
	owner      endpoint
	out        []byte // accepted by send, not yet by the kernel
	fd         int    // -1 once closed
	id         int32
	connecting bool
	armed      bool // EPOLLOUT is registered
}

// dial starts a connection to the target for owner. A slow one gets a small receive buffer. Connections use the source
// addresses in turn; an address without free ports is skipped.
func (w *worker) dial(owner endpoint, slow bool) (*conn, error) {
	for {
		fd, err := w.startConnect(slow)
		if errors.Is(err, unix.EADDRNOTAVAIL) && w.sources.exhausted() {
			continue
		}
		if err != nil {
			return nil, err
		}
		w.lastID++
		c := &conn{w: w, owner: owner, fd: fd, id: w.lastID, connecting: true, armed: true}
		if err := w.poll.add(fd, c.id, readable|writable); err != nil {
			return nil, errors.Join(err, unix.Close(fd))
		}
		w.attach(c)
		return c, nil
	}
}

// ready handles the events of one wait.
func (c *conn) ready(events uint32) {
	if c.connecting {
		if !c.finishConnect() {
			return
		}
	}
	if events&writable != 0 && c.fd >= 0 {
		if err := c.flush(); err != nil {
			c.fail(err)
			return
		}
	}
	if events&^writable != 0 && c.fd >= 0 {
		c.read()
	}
}

// finishConnect reads the outcome of the connect. It returns false if the handling ends.
func (c *conn) finishConnect() bool {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		c.fail(fmt.Errorf("connect: %w", err))
		return false
	}
	c.connecting = false
	c.owner.opened()
	return true
}

// read reads what has arrived, with one system call per event. epoll is level-triggered, so another event follows for
// the rest.
func (c *conn) read() {
	n, err := unix.Read(c.fd, c.w.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return
	case err != nil:
		c.fail(fmt.Errorf("read: %w", err))
		return
	case n == 0:
		c.fail(io.EOF)
		return
	}
	if err := c.owner.received(c.w.buffer[:n], c.w.clock.now()); err != nil {
		c.fail(err)
	}
}

// send writes p, and buffers what the kernel does not take. p is not retained. A failed write shows as the end of the
// connection at the next read event.
func (c *conn) send(p []byte) {
	if c.fd < 0 {
		return
	}
	if c.connecting || len(c.out) > 0 {
		c.out = append(c.out, p...)
		return
	}
	n, err := unix.Write(c.fd, p)
	if n = max(n, 0); n < len(p) {
		c.out = append(c.out, p[n:]...)
	}
	if err == nil || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		c.arm()
	}
}

// flush writes the backlog.
func (c *conn) flush() error {
	for len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			break
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		c.out = c.out[n:]
	}
	if len(c.out) == 0 {
		c.out = nil
	}
	c.arm()
	return nil
}

// arm registers for EPOLLOUT exactly while there is a backlog.
func (c *conn) arm() {
	want := len(c.out) > 0
	if want == c.armed {
		return
	}
	interest := uint32(readable)
	if want {
		interest |= writable
	}
	if c.w.poll.change(c.fd, c.id, interest) == nil {
		c.armed = want
	}
}

// fail closes the connection and reports the reason to its owner.
func (c *conn) fail(err error) {
	if c.fd < 0 {
		return
	}
	c.close()
	c.owner.closed(err)
}

// close closes the connection without a report to its owner. Further calls do nothing.
func (c *conn) close() {
	if c.fd < 0 {
		return
	}
	c.w.detach(c)
	_ = unix.Close(c.fd) // nothing to be done about it, and epoll forgets it
	c.fd = -1
	c.out = nil
}
