package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is where Socket.IO servers mount by default.
const defaultPath = "/socket.io/"

// errURL is returned for URLs that the load generator cannot use.
var errURL = errors.New("url must be http://host:port with an optional path")

// target is a parsed Config.URL; immutable. addr is not valid until resolve.
type target struct {
	host string // host:port as the Host header wants it
	name string // host without port
	port uint16
	path string
	addr netip.AddrPort
}

// parseTarget reads a URL without touching the network.
func parseTarget(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("%w: %w", errURL, err)
	}
	plain := u.User == nil && u.RawQuery == "" && u.Fragment == ""
	if u.Scheme != "http" || u.Hostname() == "" || !plain {
		return target{}, fmt.Errorf("%w, not %q", errURL, raw)
	}
	port := uint64(80)
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return target{}, fmt.Errorf("%w, not %q", errURL, raw)
		}
	}
	path := u.EscapedPath()
	if path == "" || path == "/" {
		path = defaultPath
	}
	return target{host: u.Host, name: u.Hostname(), port: uint16(port), path: path}, nil
}

// resolve fills in the address; names are looked up once for the whole run.
func (t target) resolve() (target, error) {
	host := net.JoinHostPort(t.name, strconv.Itoa(int(t.port)))
	tcp, err := net.ResolveTCPAddr("tcp", host)
	if err != nil {
		return t, fmt.Errorf("bench: %w", err)
	}
	t.addr = netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap().WithZone(""), t.port)
	return t, nil
}

// query returns the request target for a transport, with the session id when there
// is one.
func (t target) query(transport, sid string) string {
	var b strings.Builder
	b.WriteString(t.path)
	b.WriteString("?EIO=4&transport=")
	b.WriteString(transport)
	if sid != "" {
		b.WriteString("&sid=")
		b.WriteString(url.QueryEscape(sid))
	}
	return b.String()
}

// local reports whether the target's address belongs to this machine.
func (t target) local() bool {
	if t.addr.Addr().IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == t.addr.Addr() {
			return true
		}
	}
	return false
}

// sockaddr converts an address for the socket calls.
func sockaddr(a netip.AddrPort) (unix.Sockaddr, int) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}, unix.AF_INET6
}
