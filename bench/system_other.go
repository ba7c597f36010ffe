//go:build !linux

package bench

import (
	"os"
	"time"
)

// supported is false: the load generator needs epoll, and /proc for the figures of the server. Run, RunAPI and Child
// return ErrSystem, so nothing below is called.
const supported = false

// event is a readiness of a descriptor.
type event struct {
	Events  uint32
	Fd, Pad int32
}

// Bits of an event.
const (
	readable = 1 << 0
	writable = 1 << 2
)

// wakeID marks the event that interrupts a wait.
const wakeID = 0

// epoll has no instance.
type epoll struct{}

func newEpoll() (*epoll, error)                { return nil, ErrSystem }
func (*epoll) add(int, int32, uint32) error    { return ErrSystem }
func (*epoll) change(int, int32, uint32) error { return ErrSystem }
func (*epoll) wake()                           {}
func (*epoll) drainWake()                      {}
func (*epoll) close() error                    { return ErrSystem }
func (*epoll) wait(clock, time.Duration) ([]event, time.Duration, error) {
	return nil, 0, ErrSystem
}

func (w *worker) startConnect(bool) (fd int, err error) { return -1, ErrSystem }

func floorChild(floorScript, *os.File, *os.File) error { return ErrSystem }
