package poller

import (
	"errors"
	"time"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"golang.org/x/sys/unix"
)

// acceptError takes the place of gnet's ErrAcceptSocket, the one error of accept(2) that ends a whole gnet engine with
// all its connections, also when nothing but a file descriptor is missing for a moment. gnet recognises it with
// errors.Is, which never matches a value of a type that cannot be compared. So gnet carries on: the connection stays in
// the listen queue, and the next one that arrives makes the acceptor try again. What really is fatal ends the engine
// through acceptFailed.
//
// The cap on connections and the gate make this rare; this makes it harmless.
type acceptError struct {
	_ []struct{} // not comparable
}

func (acceptError) Error() string { return "poller: accept failed" }

func init() { gneterrors.ErrAcceptSocket = acceptError{} }

// acceptPause is how long a loop with a table of its own waits when accept has failed. There is no other brake: the
// loop is told of the waiting connection again and again.
const acceptPause = 10 * time.Millisecond

// acceptFailed is called on gnet's acceptor when accept(2) has failed.
func (e *Engine) acceptFailed(err error) {
	if !fatalAccept(err) {
		if e.config.PrivateFiles {
			time.Sleep(acceptPause)
		} else {
			e.gate.starve()
		}
		return
	}
	if e.failed.Swap(true) {
		return
	}
	go func() {
		<-e.booted
		e.stopGnet()
	}()
}

// fatalAccept reports whether a listening socket can never be accepted from again. All else passes: missing
// descriptors or memory, and what Linux reports of the network for a connection that is gone already.
func fatalAccept(err error) bool {
	for _, fatal := range []error{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EFAULT, unix.EOPNOTSUPP} {
		if errors.Is(err, fatal) {
			return true
		}
	}
	return false
}
