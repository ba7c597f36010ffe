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

// This file gives gnet the Engine's own listening sockets.
//
// gnet accepts only from sockets that it has opened itself. So gnet opens a placeholder for each of the Engine's
// sockets, and in OnBoot, before gnet watches any, each socket takes the descriptor number of a placeholder. gnet
// exports only duplicates of its descriptors; the Engine reads the numbers by reflection, and returns errGnet if this
// version of gnet has other fields. gnet closes the numbers when it ends, and so the sockets.
//
// With Config.ReusePort, gnet opens a socket for each loop itself, later, at the real addresses.

// errGnet means that the version of gnet has other fields than this package expects.
var errGnet = errors.New("poller: gnet does not show its listeners")

// openListeners opens all addresses. If one fails, it closes the others.
func (e *Engine) openListeners() error {
	for _, a := range e.addrs {
		ln, err := openListener(a, &e.config)
		if err != nil {
			e.closeListeners()
			return err
		}
		e.listeners = append(e.listeners, ln)
		if e.config.ReusePort && ln.dual() && onlyIPv6() {
			e.closeListeners() // gnet does not set IPV6_V6ONLY
			return &ListenError{a.String(), errBindV6Only}
		}
	}
	if e.config.ReusePort {
		e.yieldPorts(true)
	}
	return nil
}

// yieldPorts closes the sockets that gnet opens again for ReusePort. Those with a fixed port are closed before gnet
// starts, because connections that arrive there would be lost; the others are closed when gnet has opened the port that
// the kernel has chosen.
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

// closeListeners closes the sockets that gnet does not have, and removes all files of unix sockets.
func (e *Engine) closeListeners() {
	for _, ln := range e.listeners {
		ln.close()
	}
}

// gnetAddrs returns the addresses for gnet, one for each listener.
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

// real returns the address of a TCP listener in gnet's syntax.
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

// dual reports whether the listener accepts both IPv4 and IPv6.
func (ln *listener) dual() bool {
	addr, ok := ln.bound.(*net.TCPAddr)
	return ok && ln.address.network == "tcp" && addr.IP.IsUnspecified() && addr.IP.To4() == nil
}

// placeholder returns an address that gnet can open beside the listener's: of the same family, and without further
// permissions. A TCP placeholder has a port that nobody knows, for less than a millisecond.
func (ln *listener) placeholder() string {
	addr, ok := ln.bound.(*net.TCPAddr)
	if !ok {
		return unixPlaceholder()
	}
	other := listener{address: ln.address, bound: &net.TCPAddr{IP: addr.IP, Zone: addr.Zone}}
	return other.real()
}

// install gives gnet the engine's sockets, and the gate its descriptors of them. gnet must not watch the sockets yet.
// It does not matter which socket replaces which placeholder.
func (e *Engine) install(g gnet.Engine) error {
	placeholders, err := gnetListeners(g)
	if err != nil {
		return err
	}
	if len(placeholders) != len(e.listeners) {
		return fmt.Errorf("%w: %d of %d", errGnet, len(placeholders), len(e.listeners))
	}
	if e.config.ReusePort {
		return e.installShared(placeholders)
	}
	var fds []int
	for i, ln := range e.listeners {
		if err := replaceFile(ln.fd, placeholders[i]); err != nil {
			return fmt.Errorf("poller: install %s: %w", ln.address, err)
		}
		fds = append(fds, ln.fd)
	}
	for _, ln := range e.listeners {
		ln.fd = -1 // the gate owns it
	}
	e.accepting = placeholders
	return os.NewSyscallError("listen", e.gate.open(fds))
}

// installShared is install for ReusePort, where gnet keeps its own sockets.
func (e *Engine) installShared(placeholders []int) error {
	e.yieldPorts(false)
	var fds []int
	for _, fd := range placeholders {
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

// errBindV6Only means that an address of IPv4 and IPv6 needs net.ipv6.bindv6only=0 with ReusePort.
var errBindV6Only = errors.New("net.ipv6.bindv6only is 1: with ReusePort, give addresses with tcp4:// and tcp6://")

// onlyIPv6 reports whether new sockets accept only IPv6 by default.
func onlyIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer closeFile(fd)
	only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return err == nil && only == 1
}

// gnetListeners returns the descriptors of gnet's listening sockets.
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
