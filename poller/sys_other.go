//go:build !linux

package poller

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// replaceFile makes the descriptor at a duplicate of fd and closes its old file, atomically.
func replaceFile(fd, at int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	err := unix.Dup2(fd, at)
	unix.CloseOnExec(at)
	return os.NewSyscallError("dup2", err)
}

// unixPlaceholder returns an address that gnet can open beside a unix socket.
func unixPlaceholder() string { return "tcp4://127.0.0.1:0" }

func listenQueueMax() int { return listenQueueUsual }

// Other systems than Linux can neither drop packets for the gate nor tell how much of the kernel's send queue is
// unacknowledged. The engine then relies on FDReserve, and takes a peer that reads slower than its buffers for dead
// after WriteTimeout.

// writev writes the first part only. Other systems are for development, and most writes have one part.
func (l *Loop) writev(fd int, parts [][]byte) (int, error) { return unix.Write(fd, parts[0]) }

func unsentBytes(int) int { return -1 }

func dropIncoming(int) error { return nil }

func allowIncoming(int) error { return nil }

func setKeepAliveIdle(int, int) error { return nil }
