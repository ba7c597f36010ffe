package poller

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// epoch is the start of the monotonic clock of all loops.
var epoch = time.Now()

// monotonic returns the nanoseconds since epoch, plus 1: it is always above 0 and never goes back.
func monotonic() int64 { return int64(time.Since(epoch)) + 1 }

// addrPortOf converts a socket address. A unix socket has the zero AddrPort.
func addrPortOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(strconv.Itoa(int(sa.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(sa.Port))
	default:
		return netip.AddrPort{}
	}
}

// addrPortFrom copies a peer's address: gnet recycles the memory of zone names when the connection closes.
func addrPortFrom(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort() // interns a copy of the zone
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// setKeepAlive makes connections accepted from this listener probe an idle peer.
func setKeepAlive(fd int, idle time.Duration) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
		return err
	}
	return setKeepAliveIdle(fd, max(int(idle/time.Second), 1))
}
