package poller

import (
	"errors"
	"time"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"golang.org/x/sys/unix"
)

// acceptError replaces gnet's ErrAcceptSocket. gnet ends the whole engine, with all its connections, on this error of
// accept(2), even if only a file descriptor is missing for a moment. gnet compares with errors.Is, which never matches
// a value of a type that cannot be compared, so gnet carries on: the connection stays in the listen queue, and the next
// one that arrives makes the acceptor try again. Errors that are fatal end the engine through acceptFailed.
//
// The limit on connections and the gate make failures of accept rare; acceptError makes them harmless.
type acceptError struct {
	_ []struct{} // not comparable
}

func (acceptError) Error() string { return "poller: accept failed" }

func init() { gneterrors.ErrAcceptSocket = acceptError{} }

// acceptPause is how long a loop with PrivateFiles waits after a failed accept. Without it the loop would spin, because
// epoll reports the waiting connection again and again.
const acceptPause = 10 * time.Millisecond

// acceptFailed handles a failed accept(2). gnet's acceptor calls it.
func (e *Engine) acceptFailed(err error) {
	if !fatalAccept(err) {
		if e.config.PrivateFiles {
			time.Sleep(acceptPause)
		} else {
			e.gate.outOfFiles()
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

// fatalAccept reports whether the listening socket is broken for good. Other errors pass: a lack of descriptors or
// memory, and network errors that Linux reports for a connection that is already gone.
func fatalAccept(err error) bool {
	for _, fatal := range []error{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EFAULT, unix.EOPNOTSUPP} {
		if errors.Is(err, fatal) {
			return true
		}
	}
	return false
}
