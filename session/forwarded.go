package session

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// What proxies tell of a client in header fields. RFC 7239's Forwarded is not read: a proxy that only knows X-Forwarded-For
// passes a client's own Forwarded on, so to believe either of them would be to believe the client.

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

// trusts reports whether who has that address is a trusted proxy. A unix socket, which has none, is trusted with all else:
// the mode of its file says who may connect.
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

var forwardedForName = []byte("x-forwarded-for")

// forwardedFor walks X-Forwarded-For from its end, where the nearest proxy has added what it saw, to the first address that
// is not a trusted proxy's: that is the client's. It stops at what is no address, which a client may have put there.
func forwardedFor(r *httpwire.Request, peer netip.AddrPort, trusted []netip.Prefix) netip.AddrPort {
	found := peer
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
				return found
			}
			if found = addr; !trusts(trusted, addr.Addr()) {
				return found
			}
		}
	}
	return found
}

// parseForwarded reads an address as proxies write it: with a port or without, IPv6 in brackets or not.
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

// forwardedSecure is what the nearest proxy says of the scheme: the last one in X-Forwarded-Proto. Without a word of it, the
// connection's own.
func forwardedSecure(r *httpwire.Request, secure bool) bool {
	var last []byte
	for _, f := range r.Fields {
		if bytes.EqualFold(f.Name, forwardedProtoName) {
			last = f.Value
		}
	}
	if comma := bytes.LastIndexByte(last, ','); comma >= 0 {
		last = last[comma+1:]
	}
	if last = bytes.Trim(last, " \t"); len(last) == 0 {
		return secure
	}
	return bytes.EqualFold(last, []byte("https")) || bytes.EqualFold(last, []byte("wss"))
}

var forwardedProtoName = []byte("x-forwarded-proto")
