package poller

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// readySet is an epoll set for writable descriptors. Each is reported once for each arm. Safe for concurrent use.
//
// Go's own poller watches the set, so that the waiting goroutine continues at once, as one that waits for a socket
// does. A thread that returns from epoll_wait(2) must find a processor first, which takes time while all are busy.
type readySet struct {
	epoll int
	file  *os.File // epoll, as Go watches it
	conn  syscall.RawConn
}

func newReadySet() (*readySet, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(epoll, true); err != nil { // Go watches only nonblocking files
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(epoll), "writable")
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &readySet{epoll: epoll, file: file, conn: conn}, nil
}

func (s *readySet) control(op, fd int, events uint32, data uint64) error {
	// Fd and Pad are the 64 bits of user data, which the kernel returns unchanged.
	ev := unix.EpollEvent{Events: events, Fd: int32(data), Pad: int32(data >> 32)}
	err := retry(func() error { return unix.EpollCtl(s.epoll, op, fd, &ev) })
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// arm requests one report of data when fd is writable. again is a hint that fd is in the set.
func (s *readySet) arm(fd int, data uint64, again bool) error {
	op, other := unix.EPOLL_CTL_ADD, unix.EPOLL_CTL_MOD
	if again {
		op, other = other, op
	}
	err := s.control(op, fd, unix.EPOLLOUT|unix.EPOLLONESHOT, data)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT) {
		err = s.control(other, fd, unix.EPOLLOUT|unix.EPOLLONESHOT, data)
	}
	return err
}

// disarm takes fd out of the set.
func (s *readySet) disarm(fd int) { _ = s.control(unix.EPOLL_CTL_DEL, fd, 0, 0) }

// wait waits for ready descriptors, reports the data of each, and returns false after close.
func (s *readySet) wait(report func(data uint64)) bool {
	err := s.conn.Read(func(uintptr) bool {
		n, err := s.poll(report)
		return n > 0 || err != nil && err != unix.EINTR
	})
	return err == nil
}

// poll reports the data of descriptors that are ready now, and returns their number: 64 at most.
func (s *readySet) poll(report func(data uint64)) (n int, err error) {
	var events [64]unix.EpollEvent
	n, err = unix.EpollWait(s.epoll, events[:], 0)
	for i := range events[:max(n, 0)] {
		report(uint64(uint32(events[i].Fd)) | uint64(uint32(events[i].Pad))<<32)
	}
	return max(n, 0), err
}

// close ends wait and releases the set. arm and disarm must not be called afterwards.
func (s *readySet) close() { _ = s.file.Close() }
