package httpwire

import (
	"bytes"
	"net/netip"
)

// parseTarget splits r.Target by its form (RFC 9112, section 3.2) into Path and RawQuery, and Host
// if the target names one. It accepts the origin form, the absolute form of http and https, and "*"
// for OPTIONS. The authority form belongs to CONNECT, which is for proxies.
func (r *Request) parseTarget() *Error {
	t := r.Target
	if !allOf(t, classTarget) {
		return errTarget
	}
	if string(r.Method) == "CONNECT" {
		return errTarget
	}
	if t[0] == '/' {
		return r.splitPath(t)
	}
	if len(t) == 1 && t[0] == '*' && string(r.Method) == "OPTIONS" {
		r.Path = t
		return nil
	}
	return r.parseAbsolute(t)
}

func (r *Request) parseAbsolute(t []byte) *Error {
	after := 0
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(t) > len(scheme) && foldEqual(t[:len(scheme)], scheme) {
			after = len(scheme)
		}
	}
	if after == 0 {
		return errTarget
	}
	end := len(t)
	if i := bytes.IndexAny(t[after:], "/?"); i >= 0 {
		end = after + i
	}
	if r.Host = t[after:end]; len(r.Host) == 0 || !isHost(r.Host) {
		return errTarget
	}
	if end < len(t) && t[end] == '/' {
		return r.splitPath(t[end:])
	}
	// An absent path means "/" (RFC 9110, section 4.2.3). The slash of the scheme serves as the
	// path, so that Path is a view like all others.
	if end < len(t) {
		r.RawQuery = t[end+1:]
	}
	r.Path = t[after-1 : after]
	return nil
}

// splitPath splits "/path?query". Escapes in the path must be complete, so that later decoders
// agree on the result. Queries are customarily less strict and stay as they are.
func (r *Request) splitPath(t []byte) *Error {
	r.Path = t
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		r.Path, r.RawQuery = t[:i], t[i+1:]
	}
	for p := r.Path; ; {
		i := bytes.IndexByte(p, '%')
		if i < 0 {
			return nil
		}
		if len(p) < i+3 || !allOf(p[i+1:i+3], classHex) {
			return errTarget
		}
		p = p[i+3:]
	}
}

// isHost reports whether h is a host with an optional port (RFC 9110, section 7.2): a name, an IPv4
// address, or an IPv6 address in brackets without a zone. Percent escapes are refused, because no
// client sends them in a host.
func isHost(h []byte) bool {
	port := h
	if len(h) > 0 && h[0] == '[' {
		end := bytes.IndexByte(h, ']')
		if end < 0 || !isIPv6(h[1:end]) {
			return false
		}
		port = h[end+1:]
	} else {
		for len(port) > 0 && class[port[0]]&classHost != 0 {
			port = port[1:]
		}
		if len(port) == len(h) {
			return false // a port needs a host before it
		}
	}
	return isPort(port)
}

// isHostField reports whether h is a valid value of a Host field. Besides hosts it accepts two forms
// of IPv6 addresses that clients send and RFC 9110 does not allow: without brackets ("::1:3000", by
// XMLHttpRequest libraries for Node), and in brackets with a zone ("[fe80::1%eth0]:3000", by older
// HTTP libraries). Neither affects where the message ends.
func isHostField(h []byte) bool {
	if isHost(h) || isIPv6(h) {
		return true
	}
	if h[0] != '[' {
		colon := bytes.LastIndexByte(h, ':')
		return colon > 0 && isIPv6(h[:colon]) && isPort(h[colon:])
	}
	zone := bytes.IndexByte(h, '%')
	end := bytes.IndexByte(h, ']')
	return zone > 0 && end > zone+1 && isIPv6(h[1:zone]) && isZone(h[zone+1:end]) && isPort(h[end+1:])
}

// isZone reports whether z is the name of an IPv6 zone, with or without the percent escapes of RFC
// 6874.
func isZone(z []byte) bool {
	for _, c := range z {
		if c != '%' && class[c]&classHost == 0 {
			return false
		}
	}
	return len(z) > 0
}

// isPort reports whether p is empty or a colon with any number of digits.
func isPort(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	if p[0] != ':' {
		return false
	}
	for _, c := range p[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// ipv6BytesMax is the longest text of an IPv6 address, with a dotted tail.
const ipv6BytesMax = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

func isIPv6(b []byte) bool {
	if len(b) > ipv6BytesMax || bytes.IndexByte(b, '%') >= 0 {
		return false
	}
	addr, err := netip.ParseAddr(string(b))
	return err == nil && addr.Is6()
}
