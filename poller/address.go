package poller

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strings"
)

// address is one entry of Config.Addrs. Immutable.
type address struct {
	network string // tcp, tcp4, tcp6 or unix: a network of package net
	target  string // host:port or path
}

// String returns the address with its scheme.
func (a address) String() string { return a.network + "://" + a.target }

// fixed reports whether the address names the same socket each time. Port 0 is another port each time.
func (a address) fixed() bool {
	if a.network == "unix" {
		return true
	}
	_, port, err := net.SplitHostPort(a.target)
	return err != nil || port != "0"
}

// family returns the network to pass to package net. Package net takes 0.0.0.0 on tcp for all addresses, including
// IPv6; in Config.Addrs it means IPv4.
func (a address) family() string {
	if host, _, err := net.SplitHostPort(a.target); err == nil && a.network == "tcp" {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
			return "tcp4"
		}
	}
	return a.network
}

// parseAddress parses an entry of Config.Addrs. Without a scheme it is host:port on tcp.
func parseAddress(raw string) (address, error) {
	network, target, ok := strings.Cut(raw, "://")
	if !ok {
		network, target = "tcp", raw
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		return parseTCP(raw, network, target)
	case "unix":
		if target == "" {
			return address{}, fmt.Errorf("%q has no path", raw)
		}
		return address{network, path.Clean(target)}, nil
	default:
		return address{}, fmt.Errorf("%q is neither tcp:// nor unix://", raw)
	}
}

func parseTCP(raw, network, target string) (address, error) {
	_, port, err := net.SplitHostPort(target)
	var bad *net.AddrError
	switch {
	case errors.As(err, &bad):
		return address{}, fmt.Errorf("%q: %s; an address is host:port, :port or unix://path", raw, bad.Err)
	case err != nil:
		return address{}, fmt.Errorf("%q: %w", raw, err)
	}
	if _, err := net.LookupPort("tcp", port); err != nil || port == "" {
		return address{}, fmt.Errorf("%q: %q is not a port", raw, port)
	}
	return address{network, target}, nil
}

func parseAddresses(raw []string) ([]address, error) {
	addrs := make([]address, 0, len(raw))
	seen := make(map[address]bool, len(raw))
	for _, r := range raw {
		a, err := parseAddress(r)
		if err != nil {
			return nil, &ConfigError{"Addrs", err.Error()}
		}
		if seen[a] && a.fixed() {
			return nil, &ConfigError{"Addrs", fmt.Sprintf("%q is there twice", r)}
		}
		seen[a] = true
		addrs = append(addrs, a)
	}
	return addrs, nil
}
