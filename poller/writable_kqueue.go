//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// readySet is a kqueue for writable descriptors. Each is reported once for each arm. Safe for concurrent use.
//
// An event of a kqueue names its descriptor; a map holds the data for it.
type readySet struct {
	queue int
	pipe  [2]int // a byte in it ends wait

	mu   sync.Mutex
	data map[int]uint64 // guarded by mu: by descriptor
}

func newReadySet() (*readySet, error) {
	queue, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(queue)
	s := &readySet{queue: queue, data: make(map[int]uint64)}
	if err := unix.Pipe(s.pipe[:]); err != nil {
		_ = unix.Close(queue)
		return nil, os.NewSyscallError("pipe", err)
	}
	for _, fd := range s.pipe {
		unix.CloseOnExec(fd)
	}
	if err := s.change(s.pipe[0], unix.EVFILT_READ, unix.EV_ADD); err != nil {
		s.free()
		return nil, err
	}
	return s, nil
}

func (s *readySet) change(fd, filter, flags int) error {
	var ev [1]unix.Kevent_t
	unix.SetKevent(&ev[0], fd, filter, flags)
	err := retry(func() error {
		_, err := unix.Kevent(s.queue, ev[:], nil, nil)
		return err
	})
	return os.NewSyscallError("kevent", err)
}

// arm requests one report of data when fd is writable. A kqueue needs no hint.
func (s *readySet) arm(fd int, data uint64, _ bool) error {
	s.mu.Lock()
	s.data[fd] = data
	s.mu.Unlock()
	return s.change(fd, unix.EVFILT_WRITE, unix.EV_ADD|unix.EV_ONESHOT)
}

// disarm takes fd out of the set.
func (s *readySet) disarm(fd int) {
	_ = s.change(fd, unix.EVFILT_WRITE, unix.EV_DELETE) // fails if it has been reported
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.data, fd)
}

// wait waits for ready descriptors, reports the data of each, and returns false after close.
func (s *readySet) wait(report func(data uint64)) bool {
	var events [256]unix.Kevent_t
	n, err := unix.Kevent(s.queue, nil, events[:], nil)
	if err == unix.EINTR {
		return true
	}
	if err != nil {
		s.free()
		return false
	}
	for i := range events[:n] {
		fd := int(events[i].Ident)
		if fd == s.pipe[0] {
			s.free()
			return false
		}
		s.mu.Lock()
		data, ok := s.data[fd]
		s.mu.Unlock()
		if ok {
			report(data)
		}
	}
	return true
}

// close ends wait and releases the set. arm and disarm must not be called afterwards.
func (s *readySet) close() { _, _ = unix.Write(s.pipe[1], []byte{0}) }

// free closes the descriptors.
func (s *readySet) free() {
	_ = unix.Close(s.queue)
	_ = unix.Close(s.pipe[0])
	_ = unix.Close(s.pipe[1])
}
