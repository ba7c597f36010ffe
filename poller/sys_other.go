//go:build !linux

package poller

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// replaceFile makes the descriptor at refer to what fd refers to, and closes what it referred to, in one go.
func replaceFile(fd, at int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	err := unix.Dup2(fd, at)
	unix.CloseOnExec(at)
	return os.NewSyscallError("dup2", err)
}

// unixPlaceholder is an address that gnet can open beside a unix socket.
func unixPlaceholder() string { return "tcp4://127.0.0.1:0" }

func listenQueueMax() int { return listenQueueUsual }

// Without Linux there is no way to close the gate for packets or to look into the kernel's send queue; the engine
// then relies on FDReserve, and takes a peer that reads slower than its buffers for dead after WriteTimeout.

// writev writes the first part: other systems than Linux are for development, and one part is mostly all.
func (l *Loop) writev(fd int, parts [][]byte) (int, error) { return unix.Write(fd, parts[0]) }

func unsentBytes(int) int { return -1 }

func dropIncoming(int) error { return nil }

func allowIncoming(int) error { return nil }

func setKeepAliveIdle(int, int) error { return nil }
