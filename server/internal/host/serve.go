package host

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// acceptors is the number of goroutines that accept for one listener: taking over a connection waits for a turn of
	// its loop, and others can be accepted meanwhile.
	acceptors = 8
	// acceptPause is the pause after an accept that has failed for want of descriptors or memory.
	acceptPause = 20 * time.Millisecond
)

// ErrNotRunning: the Host does not listen, or runs on loops of others.
var ErrNotRunning = errors.New("it is not running: call Start or Listen before")

// Serve serves the connections of a listener that was opened elsewhere, which must be *net.TCPConn or *net.UnixConn. It
// returns when the listener is closed or the event loops have ended, and has closed the listener then. The error is
// that of accept, if it was not closed.
func (h *Host) Serve(ln net.Listener) error {
	p, _ := h.Running()
	if p == nil {
		return errors.Join(ErrNotRunning, ln.Close())
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-p.Done():
		case <-ended:
		}
		_ = ln.Close()
	}()
	var turn atomic.Uint32
	var accepting sync.WaitGroup
	var failed atomic.Pointer[error]
	for range acceptors {
		accepting.Go(func() {
			for {
				c, err := ln.Accept()
				var passing net.Error
				switch {
				case err == nil:
					loops := p.Loops()
					// A connection that is refused, or that has gone, is closed by then.
					_ = loops[int(turn.Add(1))%len(loops)].Adopt(c, nil, nil)
				case errors.Is(err, net.ErrClosed):
					return
				case errors.As(err, &passing) && passing.Temporary(): //nolint:staticcheck // no descriptors
					time.Sleep(acceptPause)
				default:
					failed.CompareAndSwap(nil, &err)
					_ = ln.Close()
					return
				}
			}
		})
	}
	accepting.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// TakeOver has new connections at the addresses of Listen come to this process, see poller.Engine.
func (h *Host) TakeOver() error {
	if p, _ := h.Running(); p != nil {
		return p.TakeOver()
	}
	return ErrNotRunning
}

// StopListening closes the sockets of Listen behind the connections in their queues, see poller.Engine.
func (h *Host) StopListening() error {
	if p, _ := h.Running(); p != nil {
		return p.StopListening()
	}
	return ErrNotRunning
}
