package poller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dialProbeTimeout bounds the check whether somebody serves a unix socket path.
const dialProbeTimeout = time.Second

// ListenError reports an address that cannot be listened on, and the reason. It is immutable.
type ListenError struct {
	// Addr is the address with its scheme, such as "tcp://127.0.0.1:3000".
	Addr string
	// Err is the cause, such as syscall.EADDRINUSE inside of an *os.SyscallError.
	Err error
}

// Error returns "cannot listen on Addr: cause".
func (e *ListenError) Error() string { return "cannot listen on " + e.Addr + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// listener is one listening socket of an Engine. The Engine opens it, because gnet can set neither IPV6_V6ONLY nor the
// length of the listen queue, and leaves earlier addresses open when a later one fails. install.go describes how gnet
// gets the socket. The fields are immutable, except fd and file.
type listener struct {
	address address
	fd      int      // the engine's own descriptor; -1 when the gate has it
	bound   net.Addr // with the real port
	// file is the inode of a unix socket, for remove. It is nil for TCP, and once removed.
	file fs.FileInfo
}

// openListener binds the address and listens, as package net does: an empty host is all addresses of IPv4 and IPv6, or
// those of IPv4 on a kernel without IPv6, and so is [::] but for tcp6. Errors are of type *ListenError.
func openListener(a address, cfg *Config) (*listener, error) {
	ln, err := a.open(cfg)
	if err != nil {
		if op, ok := err.(*net.OpError); ok {
			err = op.Err // op itself repeats the address
		}
		return nil, &ListenError{a.String(), err}
	}
	return ln, nil
}

func (a address) open(cfg *Config) (*listener, error) {
	unixSocket := a.network == "unix"
	if cfg.SharePort {
		return a.bindShared(cfg)
	}
	if unixSocket {
		if err := a.clearPath(); err != nil {
			return nil, err
		}
	}
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error {
			if unixSocket {
				_ = unix.Fchmod(fd, uint32(cfg.UnixMode)) // on Linux, the file never has more permissions
				return nil
			}
			return setTCPOptions(fd, cfg)
		})
	}}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), a.family(), a.target)
	if err != nil {
		return nil, err
	}
	ln := &listener{address: a, fd: -1, bound: l.Addr()}
	if unixSocket {
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		if ln.file, err = os.Lstat(a.target); err == nil {
			err = os.Chmod(a.target, cfg.UnixMode) // the umask may have taken some
		}
	}
	raw, rawErr := l.(syscall.Conn).SyscallConn()
	if err = errors.Join(err, rawErr); err == nil {
		err = control(raw, func(fd int) (err error) {
			ln.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			return os.NewSyscallError("fcntl", err)
		})
	}
	if err = errors.Join(err, l.Close()); err != nil {
		ln.close()
		return nil, err
	}
	return ln, nil
}

// control calls fn with the descriptor of raw.
func control(raw syscall.RawConn, fn func(fd int) error) error {
	var inner error
	err := raw.Control(func(fd uintptr) { inner = fn(int(fd)) })
	return errors.Join(err, inner)
}

// setTCPOptions sets what accepted connections inherit, before the first of them arrives.
func setTCPOptions(fd int, cfg *Config) error {
	options := []struct {
		on                 bool
		level, name, value int
	}{
		{cfg.ReusePort, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{!cfg.Nagle, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{cfg.SendBufferBytes > 0, unix.SOL_SOCKET, unix.SO_SNDBUF, cfg.SendBufferBytes},
	}
	for _, o := range options {
		if !o.on {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if cfg.KeepAlive < 0 {
		return nil
	}
	return os.NewSyscallError("setsockopt", setKeepAlive(fd, cfg.KeepAlive))
}

// close closes the socket before gnet has it, and removes its file.
func (ln *listener) close() {
	ln.remove()
	if ln.fd >= 0 {
		_ = unix.Close(ln.fd)
		ln.fd = -1
	}
}

// remove removes the file of a unix socket, unless another process has replaced it. Call it while the socket is open: a
// peer that connects then finds either a served socket or no file.
func (ln *listener) remove() {
	if ln.file == nil {
		return
	}
	if now, err := os.Lstat(ln.address.target); err == nil && os.SameFile(now, ln.file) {
		_ = os.Remove(ln.address.target)
	}
	ln.file = nil
}

// clearPath removes a socket that nobody serves any more. It returns an error if anything else has the path.
func (a address) clearPath() error {
	info, err := os.Lstat(a.target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("the path is there and is not a socket")
	}
	conn, err := net.DialTimeout("unix", a.target, dialProbeTimeout)
	switch {
	case err == nil:
		_ = conn.Close()
		return os.NewSyscallError("bind", unix.EADDRINUSE)
	case errors.Is(err, fs.ErrNotExist):
		return nil // removed right now
	case !errors.Is(err, unix.ECONNREFUSED):
		// Somebody may serve it: with other permissions, a full queue, or another kind of socket.
		return fmt.Errorf("%w: %w", unix.EADDRINUSE, err)
	}
	// A process that is gone has left it.
	if err := os.Remove(a.target); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
