//go:build !race

package poller

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// send writes p, which is not empty and has at most copyBytesMax bytes, with one system call that does not wait.
//
// Go's scheduler is not told of the call: it takes some microseconds, and most of what a server does is such calls. The
// scheduler's bookkeeping around each is a tenth of it. send(2) knows a socket without asking the file system, as
// write(2) does.
func send(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
