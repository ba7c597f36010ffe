package portshare

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Bind returns the descriptor of a socket that is bound to a TCP address and does not listen yet. network is tcp, tcp4
// or tcp6; an empty host and [::] on tcp are all addresses of IPv4 and IPv6, or those of IPv4 on a system without IPv6.
// The caller owns the descriptor.
func Bind(network, address string) (fd int, err error) {
	addr, err := net.ResolveTCPAddr(network, address)
	if err != nil {
		return -1, err
	}
	all := network == "tcp" && (addr.IP == nil || addr.IP.IsUnspecified() && addr.IP.To4() == nil)
	switch {
	case all:
		if fd, err = bind6(addr, false); errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
			return bind4(&net.TCPAddr{Port: addr.Port})
		}
		return fd, err
	case network == "tcp6" || addr.IP != nil && addr.IP.To4() == nil:
		return bind6(addr, true)
	}
	return bind4(addr)
}

func bind4(addr *net.TCPAddr) (int, error) {
	sa := &unix.SockaddrInet4{Port: addr.Port}
	copy(sa.Addr[:], addr.IP.To4())
	return bind(unix.AF_INET, sa, false)
}

func bind6(addr *net.TCPAddr, only bool) (int, error) {
	sa := &unix.SockaddrInet6{Port: addr.Port}
	copy(sa.Addr[:], addr.IP.To16())
	if addr.Zone != "" {
		i, err := net.InterfaceByName(addr.Zone)
		if err != nil {
			return -1, err
		}
		sa.ZoneId = uint32(i.Index)
	}
	return bind(unix.AF_INET6, sa, only)
}

func bind(family int, sa unix.Sockaddr, only6 bool) (fd int, err error) {
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	set := func(level, name, value int) {
		if e := unix.SetsockoptInt(fd, level, name, value); e != nil && err == nil {
			err = os.NewSyscallError("setsockopt", e)
		}
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if family == unix.AF_INET6 {
		value := 0
		if only6 {
			value = 1
		}
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, value)
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, sa))
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Bound returns the address of a socket, with its real port.
func Bound(fd int) (*net.TCPAddr, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: append(net.IP(nil), sa.Addr[:]...), Port: sa.Port}, nil
	case *unix.SockaddrInet6:
		a := &net.TCPAddr{IP: append(net.IP(nil), sa.Addr[:]...), Port: sa.Port}
		if sa.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil {
				a.Zone = i.Name
			}
		}
		return a, nil
	}
	return nil, fmt.Errorf("portshare: the address is a %T", sa)
}

// Steer has new connections come to the socket that began to listen last, of the two that share the port of fd. It is
// called by that one. When the other one has stopped to listen, it has no effect any more, until a third begins.
func Steer(fd int) error {
	// The sockets of a group have indexes in the order in which they began to listen; an index without a socket leaves
	// the choice to the kernel.
	filter := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1}
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: 1, Filter: &filter})
	return os.NewSyscallError("setsockopt", err)
}

// Listener is a socket of a shared port, for package net.
type Listener struct {
	net.Listener
	mu sync.Mutex
	fd int // guarded by mu; -1 when closed
}

// Listen listens on a bound socket, which is the listener's from now on, also after an error.
func Listen(fd, backlog int) (*Listener, error) {
	if err := unix.Listen(fd, backlog); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("listen", err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		_ = unix.Close(own)
		return nil, err
	}
	return &Listener{Listener: ln, fd: own}, nil
}

// Steer is Steer for the listener's socket.
func (l *Listener) Steer() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Steer(l.fd)
}

// Close stops to listen.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd >= 0 {
		_ = unix.Close(l.fd)
		l.fd = -1
	}
	return l.Listener.Close()
}
