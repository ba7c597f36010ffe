package poller

import (
	"os"

	"golang.org/x/sys/unix"
)

// idleListener returns a listening socket at an address of the kernel's choice that nobody knows.
func idleListener() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = unix.Bind(fd, &unix.SockaddrUnix{}); err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		closeFile(fd)
		return -1, os.NewSyscallError("listen", err)
	}
	return fd, nil
}

// accept takes a connection from a queue.
func accept(fd int) (int, error) {
	c, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return c, err
}
