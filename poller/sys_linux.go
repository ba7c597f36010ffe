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

// replaceFile makes the descriptor at a duplicate of fd and closes its old file, atomically.
func replaceFile(fd, at int) error {
	return os.NewSyscallError("dup3", unix.Dup3(fd, at, unix.O_CLOEXEC))
}

// unixPlaceholder returns an address that gnet opens as a unix socket without a file: after gnet has cleaned the path,
// it begins with an at sign, which is Linux's abstract namespace.
func unixPlaceholder() string { return fmt.Sprintf("unix://_/../@siren-%016x", rand.Uint64()) }

// listenQueueMax returns the longest listen queue that the kernel allows in the network namespace of the process.
func listenQueueMax() int {
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if n, e := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && e == nil && n > 0 {
		return min(n, backlogMax)
	}
	return listenQueueUsual
}

// writev writes the parts, none of them empty, with one system call. It uses the loop's vector and allocates nothing.
func (l *Loop) writev(fd int, parts [][]byte) (int, error) {
	vector := l.vector[:0]
	for _, p := range parts {
		v := unix.Iovec{Base: unsafe.SliceData(p)}
		v.SetLen(len(p))
		vector = append(vector, v)
	}
	n, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&vector[0])), uintptr(len(vector)))
	clear(vector) // so that it does not keep frames alive
	l.vector = vector
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// unsentBytes returns the number of bytes that the peer has not acknowledged, or -1 if the kernel does not tell.
func unsentBytes(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return -1
	}
	return n
}

// dropIncoming makes a listening TCP socket drop all packets, so that no connection gets into its queue. Peers try
// again by themselves.
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
