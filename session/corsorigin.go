package session

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// CheckOrigin returns an error, which names the right spelling, unless o is an origin as browsers write it (RFC 6454,
// section 6.2) or "null". An origin is a scheme, a host in lower case, and the port unless it is the scheme's default.
// Origins are compared as texts, so another spelling would allow no page.
func CheckOrigin(o string) error {
	if o == "null" {
		return nil
	}
	if o == "" || strings.ContainsAny(o, " \t\r\n,") {
		return fmt.Errorf("%q, which is no origin", o)
	}
	if strings.Contains(o, "*") {
		return fmt.Errorf("%q, which is a pattern: list the origins, or \"*\" alone", o)
	}
	right, fault := spellOrigin(o)
	switch {
	case fault == "":
		return nil
	case right == "":
		return fmt.Errorf("%q, which no browser sends: %s", o, fault)
	}
	return fmt.Errorf("%q, which no browser sends: %s; write %q", o, fault, right)
}

// spellOrigin returns the right spelling of an origin and what is wrong with o; fault is empty for a right one. right
// is empty if it is unknown.
func spellOrigin(o string) (right, fault string) {
	scheme, rest, found := strings.Cut(o, "://")
	if !found {
		scheme, rest, fault = "https", strings.TrimLeft(o, "/"), "it has no scheme"
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest, fault = rest[:i], or(fault, "it has a path")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest, fault = rest[i+1:], or(fault, "it has a user")
	}
	if lower := strings.ToLower(scheme); lower != scheme {
		scheme, fault = lower, or(fault, "its scheme has capitals")
	}
	switch scheme {
	case "ws", "wss":
		scheme, fault = "http"+scheme[len("ws"):], or(fault, "pages have http or https, also for WebSockets")
	case "http", "https":
	default:
		// Schemes of apps and extensions have rules of their own for what follows.
		if u, err := url.Parse(scheme + "://" + rest); err != nil || u.Scheme != scheme {
			return "", or(fault, "it is no URL")
		}
		return scheme + "://" + rest, fault
	}
	host, hostFault := spellHost(scheme, rest)
	if host == "" {
		return "", or(fault, hostFault)
	}
	return scheme + "://" + host, or(fault, hostFault)
}

// spellHost is spellOrigin for the host and port of http or https.
func spellHost(scheme, h string) (right, fault string) {
	host, port := h, ""
	if i := strings.LastIndexByte(h, ':'); i >= 0 && i > strings.LastIndexByte(h, ']') {
		host, port = h[:i], h[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		switch {
		case err != nil && port != "":
			return "", "its port is no number up to 65535"
		case port == "", scheme == "http" && n == 80, scheme == "https" && n == 443:
			port, fault = "", "the port of its scheme is left out"
		default:
			port = ":" + strconv.FormatUint(n, 10)
			if port[1:] != h[i+1:] {
				fault = "its port begins with a zero"
			}
		}
	}
	if lower := strings.ToLower(host); lower != host {
		host, fault = lower, or(fault, "its host has capitals")
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		addr, err := netip.ParseAddr(host[1 : len(host)-1])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", "its host is no IPv6 address"
		}
		if short := "[" + addr.String() + "]"; short != host {
			host, fault = short, or(fault, "its address is written shorter")
		}
		return host + port, fault
	}
	if host == "" {
		return "", or(fault, "it has no host")
	}
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		case c >= 0x80:
			return "", "its host is not in ASCII, as browsers write it (xn--…)"
		default:
			return "", "its host has " + strconv.QuoteRune(rune(c))
		}
	}
	return host + port, fault
}

// or returns the first of two texts that is not empty.
func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
