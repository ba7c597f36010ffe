package session

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// This file reads the client's address and scheme from X-Forwarded-For and X-Forwarded-Proto. It ignores Forwarded (RFC
// 7239): a proxy that knows only X-Forwarded-For passes on a Forwarded field of the client, so trusting it would mean
// trusting the client.

// settlePrefixes copies prefixes in the form in which addresses are compared: IPv4 as IPv4, no zones.
func settlePrefixes(list []netip.Prefix) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, p := range list {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if !p.IsValid() || p.Addr().Zone() != "" {
			return nil, fmt.Errorf("session: Config.TrustedProxies has %v, which is no range of addresses", p)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// trusts reports whether the peer with that address is a trusted proxy. A unix socket has no address. Its peer is
// trusted too, because the mode of the socket's file restricts who may connect.
func trusts(trusted []netip.Prefix, ip netip.Addr) bool {
	if !ip.IsValid() {
		return len(trusted) > 0
	}
	ip = ip.Unmap().WithZone("") // a prefix contains no address with a zone
	for _, p := range trusted {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

var (
	forwardedForName   = []byte("x-forwarded-for")
	forwardedProtoName = []byte("x-forwarded-proto")
)

// forwardedFor returns the client's address: the last one in X-Forwarded-For that is not a trusted proxy's. Each proxy
// adds the address that it saw at the end. The search stops at an element that is no address, which the client may have
// put there. hops is the number of addresses from the client's to the end.
func forwardedFor(r *httpwire.Request, peer netip.AddrPort, trusted []netip.Prefix) (client netip.AddrPort, hops int) {
	client = peer
	for i := len(r.Fields) - 1; i >= 0; i-- {
		if !bytes.EqualFold(r.Fields[i].Name, forwardedForName) {
			continue
		}
		for list := r.Fields[i].Value; list != nil; {
			var item []byte
			if comma := bytes.LastIndexByte(list, ','); comma >= 0 {
				list, item = list[:comma], list[comma+1:]
			} else {
				list, item = nil, list
			}
			if item = bytes.Trim(item, " \t"); len(item) == 0 {
				continue // RFC 9110, section 5.6.1: empty elements are ignored
			}
			addr, ok := parseForwarded(string(item))
			if !ok {
				return client, hops
			}
			hops++
			if client = addr; !trusts(trusted, addr.Addr()) {
				return client, hops
			}
		}
	}
	return client, hops
}

// parseForwarded parses an address in the forms of proxies: with or without a port, IPv6 with or without brackets.
func parseForwarded(s string) (netip.AddrPort, bool) {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
		if a, err := netip.ParseAddr(s); err != nil || !a.Is6() {
			return netip.AddrPort{}, false
		}
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.AddrPort{}, false
		}
		ap = netip.AddrPortFrom(a, 0)
	}
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()), true
}

// forwardedSecure reports whether the client used TLS, by the last X-Forwarded-Proto field, which is the nearest
// proxy's. Without that field, secure, which describes the connection, counts.
//
// A proxy either sets the field, or adds the scheme of its own connection at the end. So the first of several schemes
// is the client's. Only if the proxies add to X-Forwarded-For as well, a client may have put its own claims in front in
// both fields. Then the scheme at the place of the client's address counts: hops elements before the end.
func forwardedSecure(r *httpwire.Request, hops int, secure bool) bool {
	var schemes [][]byte
	addresses := 0
	for _, f := range r.Fields {
		switch {
		case bytes.EqualFold(f.Name, forwardedProtoName):
			schemes = elements(f.Value)
		case bytes.EqualFold(f.Name, forwardedForName):
			addresses += len(elements(f.Value))
		}
	}
	if len(schemes) == 0 {
		return secure
	}
	first := 0
	if hops > 0 && addresses >= len(schemes) {
		first = max(0, len(schemes)-hops)
	}
	scheme := schemes[first]
	return bytes.EqualFold(scheme, []byte("https")) || bytes.EqualFold(scheme, []byte("wss"))
}

// elements returns the non-empty elements of a comma-separated list (RFC 9110, section 5.6.1).
func elements(list []byte) (out [][]byte) {
	for item := range bytes.SplitSeq(list, []byte(",")) {
		if item = bytes.Trim(item, " \t"); len(item) > 0 {
			out = append(out, item)
		}
	}
	return out
}
