package poller

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// replaceFile makes the descriptor at refer to what fd refers to, and closes what it referred to, in one go.
func replaceFile(fd, at int) error {
	return os.NewSyscallError("dup3", unix.Dup3(fd, at, unix.O_CLOEXEC))
}

// unixPlaceholder is an address of gnet's for a unix socket without a file. gnet cleans the path, and only so can the
// result begin with an at sign, which is Linux's abstract namespace.
func unixPlaceholder() string { return fmt.Sprintf("unix://_/../@siren-%016x", rand.Uint64()) }

// listenQueueMax is the longest listen queue that the kernel makes, in the network namespace of the process.
func listenQueueMax() int {
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if n, e := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && e == nil && n > 0 {
		return min(n, backlogMax)
	}
	return listenQueueUsual
}

// writev writes the parts, none of them empty, with one system call. The vector is the loop's, so nothing is allocated.
func (l *Loop) writev(fd int, parts [][]byte) (int, error) {
	vector := l.vector[:0]
	for _, p := range parts {
		v := unix.Iovec{Base: unsafe.SliceData(p)}
		v.SetLen(len(p))
		vector = append(vector, v)
	}
	n, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&vector[0])), uintptr(len(vector)))
	clear(vector) // it would keep frames alive
	l.vector = vector
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// unsentBytes returns how much the kernel still holds that the peer has not acknowledged; -1 when it does not say.
func unsentBytes(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return -1
	}
	return n
}

// dropIncoming makes a listening TCP socket drop all packets, so that nothing gets into its queue of connections;
// peers try again by themselves.
func dropIncoming(fd int) error {
	filter := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &filter})
}

// allowIncoming undoes dropIncoming.
func allowIncoming(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
}

func setKeepAliveIdle(fd, seconds int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(seconds/keepAliveProbes, 1))
}

const keepAliveProbes = 5
