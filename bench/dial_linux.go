package bench

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// startConnect opens a socket and begins its connect.
func (w *worker) startConnect(slow bool) (fd int, err error) {
	remote, family := sockaddr(w.target.addr)
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return -1, fmt.Errorf("TCP_NODELAY: %w", err)
	}
	if slow {
		if err := shrink(fd); err != nil {
			return -1, fmt.Errorf("SO_RCVBUF: %w", err)
		}
	}
	if addr, ok := w.sources.next(); ok {
		// Without this option bind takes a port for itself alone, no matter
		// where the connection goes.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return -1, fmt.Errorf("IP_BIND_ADDRESS_NO_PORT: %w", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: addr.As4()}); err != nil {
			return -1, fmt.Errorf("bind: %w", err)
		}
	}
	if err := unix.Connect(fd, remote); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}
