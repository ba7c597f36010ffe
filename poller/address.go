package poller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dialProbeTimeout bounds the look whether somebody serves a unix socket path.
const dialProbeTimeout = time.Second

// address is one entry of Config.Addrs, split the way gnet does. It is immutable.
type address struct {
	network string // tcp, tcp4, tcp6 or unix
	target  string // host:port or path
}

func (a address) String() string { return a.network + "://" + a.target }

// listenerNetwork is how gnet's DupListener calls the network.
func (a address) listenerNetwork() string {
	if a.network == "unix" {
		return "unix"
	}
	return "tcp"
}

func parseAddress(raw string) (address, error) {
	// An IPv6 zone has a percent sign that is not an escape.
	u, err := url.Parse(strings.ReplaceAll(raw, "%", "%25"))
	if err != nil {
		return address{}, err
	}
	switch u.Scheme {
	case "tcp", "tcp4", "tcp6":
		if u.Path != "" || u.RawQuery != "" || u.User != nil {
			return address{}, fmt.Errorf("%q has more than a host and a port", raw)
		}
		if _, _, err := net.SplitHostPort(u.Host); err != nil {
			return address{}, err
		}
		return address{u.Scheme, u.Host}, nil
	case "unix":
		target := path.Join(u.Host, u.Path)
		if target == "" || target == "." {
			return address{}, fmt.Errorf("%q has no path", raw)
		}
		return address{"unix", target}, nil
	default:
		return address{}, fmt.Errorf("%q is neither tcp:// nor unix://", raw)
	}
}

func parseAddresses(raw []string) ([]address, error) {
	addrs := make([]address, 0, len(raw))
	seen := make(map[string]bool, len(raw))
	for _, r := range raw {
		a, err := parseAddress(r)
		if err != nil {
			return nil, &ConfigError{"Addrs", err.Error()}
		}
		key := a.listenerNetwork() + a.target
		if seen[key] {
			return nil, &ConfigError{"Addrs", fmt.Sprintf("%q is there twice", r)}
		}
		seen[key] = true
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// probe checks that the address is free, because gnet's own errors of listening are partly lost, and leave the sockets of
// the addresses before it open. With reusePort and port 0 it picks the port that all loops share and keeps it bound
// until hold is closed. hold may be nil.
func (a address) probe(reusePort bool) (free address, hold net.Listener, err error) {
	if a.network == "unix" {
		return a, nil, a.probePath()
	}
	_, port, err := net.SplitHostPort(a.target)
	if err != nil {
		return a, nil, err
	}
	if port == "0" && !reusePort {
		return a, nil, nil
	}
	config := net.ListenConfig{KeepAlive: -1}
	if reusePort {
		config.Control = func(_, _ string, raw syscall.RawConn) error {
			var sockErr error
			err := raw.Control(func(fd uintptr) {
				sockErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			})
			return errors.Join(err, sockErr)
		}
	}
	hold, err = config.Listen(context.Background(), a.network, a.target)
	if err != nil {
		return a, nil, err
	}
	if port != "0" {
		return a, nil, hold.Close()
	}
	host, _, _ := net.SplitHostPort(a.target)
	_, port, err = net.SplitHostPort(hold.Addr().String())
	return address{a.network, net.JoinHostPort(host, port)}, hold, err
}

// probePath makes sure that what gnet will delete at the path is a socket that nobody serves.
func (a address) probePath() error {
	info, err := os.Lstat(a.target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen %s: the path is there and is not a socket", a)
	}
	conn, err := net.DialTimeout("unix", a.target, dialProbeTimeout)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("listen %s: %w", a, unix.EADDRINUSE)
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil // left over by a process that is gone, or removed right now
	default:
		// Somebody may serve it: it has other permissions, a full queue, or another kind of socket.
		return fmt.Errorf("listen %s: %w: %w", a, unix.EADDRINUSE, err)
	}
}

// boundAddr returns the real address of a listening socket.
func boundAddr(fd int) (net.Addr, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	if sa, ok := sa.(*unix.SockaddrUnix); ok {
		return &net.UnixAddr{Net: "unix", Name: sa.Name}, nil
	}
	return net.TCPAddrFromAddrPort(addrPortOf(sa)), nil
}
