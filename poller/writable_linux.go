package poller

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// readySet is an epoll set for writable descriptors, each reported once for each arm. Safe for concurrent use.
type readySet struct {
	epoll int
	event int // an eventfd that ends wait
}

// stopData is the data of the eventfd; no loop has that number.
const stopData = ^uint64(0)

func newReadySet() (*readySet, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	s := &readySet{epoll: epoll, event: event}
	if err := s.control(unix.EPOLL_CTL_ADD, event, unix.EPOLLIN, stopData); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *readySet) control(op, fd int, events uint32, data uint64) error {
	// Fd and Pad are the 64 bits that the kernel gives back as they are.
	ev := unix.EpollEvent{Events: events, Fd: int32(data), Pad: int32(data >> 32)}
	err := retry(func() error { return unix.EpollCtl(s.epoll, op, fd, &ev) })
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// arm asks for one report of data when fd is writable. again is a hint that fd is in the set.
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

// wait reports what is ready, at least one, and returns false after wake.
func (s *readySet) wait(report func(data uint64)) bool {
	var events [256]unix.EpollEvent
	n, err := unix.EpollWait(s.epoll, events[:], -1)
	if err == unix.EINTR {
		return true
	}
	if err != nil {
		return false
	}
	for i := range events[:n] {
		data := uint64(uint32(events[i].Fd)) | uint64(uint32(events[i].Pad))<<32
		if data == stopData {
			return false
		}
		report(data)
	}
	return true
}

func (s *readySet) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(s.event, one[:])
}

func (s *readySet) close() {
	_ = unix.Close(s.epoll)
	_ = unix.Close(s.event)
}
