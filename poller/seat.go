package poller

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// How gnet comes to the Engine's own listening sockets.
//
// gnet accepts only from sockets that it has opened itself. So it opens a placeholder for each of ours, and in OnBoot,
// before gnet watches any, each of ours takes the descriptor number of a placeholder. gnet shows only duplicates of its
// descriptors; the numbers are read from its engine by reflection, and errGnet tells when a version of gnet has other
// fields. gnet closes the numbers when it ends, and so our sockets.
//
// With Config.ReusePort gnet opens a socket for each loop later, so it gets the real addresses.

// errGnet: the version of gnet in use is not the one that this package was written for.
var errGnet = errors.New("poller: gnet does not show its listeners")

// openListeners opens all addresses, or none.
func (e *Engine) openListeners() error {
	for _, a := range e.addrs {
		ln, err := openListener(a, &e.config)
		if err != nil {
			e.closeListeners()
			return err
		}
		e.listeners = append(e.listeners, ln)
		if e.config.ReusePort && ln.dual() && onlyIPv6() {
			e.closeListeners() // gnet leaves IPV6_V6ONLY as it is by default
			return &ListenError{a.String(), errBindV6Only}
		}
	}
	if e.config.ReusePort {
		e.yieldPorts(true)
	}
	return nil
}

// yieldPorts closes sockets that gnet opens again for ReusePort: those of a fixed port before gnet starts, because what
// arrives on ours would be lost, and the others when gnet has the port that the kernel has chosen.
func (e *Engine) yieldPorts(fixed bool) {
	for _, ln := range e.listeners {
		if ln.address.fixed() == fixed {
			ln.close()
		}
	}
}

// removeFiles removes the files of unix sockets.
func (e *Engine) removeFiles() {
	for _, ln := range e.listeners {
		ln.remove()
	}
}

// closeListeners closes the sockets that gnet has not got, and removes the files of all.
func (e *Engine) closeListeners() {
	for _, ln := range e.listeners {
		ln.close()
	}
}

// gnetAddrs are the addresses that gnet is told, one for each listener.
func (e *Engine) gnetAddrs() []string {
	addrs := make([]string, len(e.listeners))
	for i, ln := range e.listeners {
		if e.config.ReusePort {
			addrs[i] = ln.real()
		} else {
			addrs[i] = ln.placeholder()
		}
	}
	return addrs
}

// real is the address of a TCP listener as gnet understands it.
func (ln *listener) real() string {
	addr := ln.bound.(*net.TCPAddr)
	switch {
	case ln.dual():
		return fmt.Sprintf("tcp://:%d", addr.Port) // gnet takes [::] for IPv6 alone
	case addr.IP.To4() != nil:
		return "tcp4://" + addr.String()
	default:
		return "tcp6://" + addr.String()
	}
}

// dual reports whether the listener is one of IPv4 and IPv6.
func (ln *listener) dual() bool {
	addr, ok := ln.bound.(*net.TCPAddr)
	return ok && ln.address.network == "tcp" && addr.IP.IsUnspecified() && addr.IP.To4() == nil
}

// placeholder is an address that gnet can open when ours is open: it is of the same family, and needs no other rights.
// One of TCP has a port that nobody knows, for less than a millisecond.
func (ln *listener) placeholder() string {
	addr, ok := ln.bound.(*net.TCPAddr)
	if !ok {
		return unixPlaceholder()
	}
	other := listener{address: ln.address, bound: &net.TCPAddr{IP: addr.IP, Zone: addr.Zone}}
	return other.real()
}

// seat gives gnet our sockets, and the gate its descriptors of them. gnet does not watch any yet. Which placeholder
// goes to which socket does not matter.
func (e *Engine) seat(g gnet.Engine) error {
	seats, err := gnetListeners(g)
	if err != nil {
		return err
	}
	if len(seats) != len(e.listeners) {
		return fmt.Errorf("%w: %d of %d", errGnet, len(seats), len(e.listeners))
	}
	if e.config.ReusePort {
		return e.seatShared(seats)
	}
	var fds []int
	for i, ln := range e.listeners {
		if err := replaceFile(ln.fd, seats[i]); err != nil {
			return fmt.Errorf("poller: seat %s: %w", ln.address, err)
		}
		fds = append(fds, ln.fd)
	}
	for _, ln := range e.listeners {
		ln.fd = -1 // is the gate's
	}
	return os.NewSyscallError("listen", e.gate.open(fds))
}

// seatShared is seat for ReusePort: gnet keeps its sockets.
func (e *Engine) seatShared(seats []int) error {
	e.yieldPorts(false)
	var fds []int
	for _, fd := range seats {
		if e.config.KeepAlive > 0 {
			if err := setKeepAlive(fd, e.config.KeepAlive); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
		twin, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		fds = append(fds, twin)
	}
	return os.NewSyscallError("listen", e.gate.open(fds))
}

// errBindV6Only: with ReusePort an address of IPv4 and IPv6 needs net.ipv6.bindv6only=0.
var errBindV6Only = errors.New("net.ipv6.bindv6only is 1: with ReusePort, give addresses with tcp4:// and tcp6://")

// onlyIPv6 reports whether new sockets are for IPv6 alone by default.
func onlyIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer closeFile(fd)
	only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return err == nil && only == 1
}

// gnetListeners finds the descriptors of the sockets that gnet has opened.
func gnetListeners(g gnet.Engine) ([]int, error) {
	engine := reflect.ValueOf(g).FieldByName("eng")
	if engine.Kind() != reflect.Pointer || engine.IsNil() || engine.Elem().Kind() != reflect.Struct {
		return nil, errGnet
	}
	listeners := engine.Elem().FieldByName("listeners")
	if listeners.Kind() != reflect.Map || listeners.Type().Key().Kind() != reflect.Int {
		return nil, errGnet
	}
	var fds []int
	for _, key := range listeners.MapKeys() {
		fds = append(fds, int(key.Int()))
	}
	return fds, nil
}
