package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// supported tells that this system has what the load generator needs.
const supported = true

// event is a readiness of a descriptor: Events are bits such as readable, Pad is the id it was registered with.
type event = unix.EpollEvent

// Bits of an event, and of the interest in them.
const (
	readable = unix.EPOLLIN
	writable = unix.EPOLLOUT
)

// eventsMax is how many ready connections one wait returns at most.
const eventsMax = 512

// fineWait is the length of a wait below which milliseconds are too coarse.
const fineWait = 20 * time.Millisecond

// wakeID marks the eventfd among the events; connections have ids above it.
const wakeID = 0

// epoll wraps one epoll instance and the eventfd that interrupts its wait. It is loop-owned except for wake, which is
// safe for concurrent use while the instance is open.
type epoll struct {
	fd     int
	wakeFD int
	self   [1]unix.PollFd
	events [eventsMax]unix.EpollEvent
}

// newEpoll creates the instance.
func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("bench: epoll_create1: %w", err)
	}
	wakeFD, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bench: eventfd: %w", err), unix.Close(fd))
	}
	p := &epoll{fd: fd, wakeFD: wakeFD}
	if err := p.add(wakeFD, wakeID, unix.EPOLLIN); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// add registers a descriptor. The id comes back with its events: descriptors
// are reused, ids are not, so an event of a closed connection finds nobody.
func (p *epoll) add(fd int, id int32, interest uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, id, interest)
}

// change replaces the interest of a registered descriptor.
func (p *epoll) change(fd int, id int32, interest uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, id, interest)
}

func (p *epoll) control(op, fd int, id int32, interest uint32) error {
	ev := unix.EpollEvent{Events: interest, Fd: int32(fd), Pad: id}
	if err := unix.EpollCtl(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("bench: epoll_ctl: %w", err)
	}
	return nil
}

// wait returns the ready events, valid until the next call. It first looks without blocking, so that blocked measures
// only time in which nothing was ready, and the loop's idle time is reliable.
func (p *epoll) wait(c clock, limit time.Duration) (ready []event, blocked time.Duration, err error) {
	n, err := p.poll(0)
	if n > 0 || err != nil || limit <= 0 {
		return p.events[:n], 0, err
	}
	start := c.now()
	if limit < fineWait {
		if err := p.pause(limit); err != nil {
			return nil, 0, err
		}
		blocked = time.Duration(c.now() - start)
		n, err = p.poll(0)
		return p.events[:n], blocked, err
	}
	// Round up: waking a little late is better than spinning up to the time.
	n, err = p.poll(int((limit + time.Millisecond - 1) / time.Millisecond))
	return p.events[:n], time.Duration(c.now() - start), err
}

// pause waits until something is ready, with a limit finer than the
// milliseconds of epoll_wait: an epoll descriptor can itself be polled.
func (p *epoll) pause(limit time.Duration) error {
	ts := unix.NsecToTimespec(int64(limit))
	p.self[0] = unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN}
	if _, err := unix.Ppoll(p.self[:], &ts, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("bench: ppoll: %w", err)
	}
	return nil
}

// poll is epoll_wait; an interrupted one is empty.
func (p *epoll) poll(ms int) (int, error) {
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("bench: epoll_wait: %w", err)
	}
	return n, nil
}

// wake ends the current or next wait.
func (p *epoll) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	// EAGAIN means the counter is full, so the loop is going to wake anyway.
	_, _ = unix.Write(p.wakeFD, one[:])
}

// drainWake resets the eventfd after its event.
func (p *epoll) drainWake() {
	var counter [8]byte
	_, _ = unix.Read(p.wakeFD, counter[:])
}

// close releases both descriptors.
func (p *epoll) close() error {
	return errors.Join(unix.Close(p.wakeFD), unix.Close(p.fd))
}
