package poller

import "golang.org/x/sys/unix"

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
