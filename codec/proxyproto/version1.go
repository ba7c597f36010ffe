package proxyproto

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// line1Max is the longest line of version 1 in bytes (section 2.1), including CR LF.
const line1Max = 107

// parse1 reads a line of version 1: "PROXY", family, addresses, ports and CR LF.
func parse1(data []byte) (Header, int, error) {
	window := data[:min(len(data), line1Max)]
	end := bytes.IndexByte(window, '\n')
	if end < 0 {
		if len(data) >= line1Max {
			return Header{}, 0, ErrTooLong
		}
		return Header{}, 0, nil
	}
	if end < len(prefix1) || window[end-1] != '\r' {
		return Header{}, 0, ErrSyntax
	}
	h := Header{Version: 1}
	rest := string(window[len(prefix1) : end-1])
	if rest == "UNKNOWN" || strings.HasPrefix(rest, "UNKNOWN ") {
		return h, end + 1, nil // section 2.1: the rest of the line is ignored
	}
	fields := strings.Split(rest, " ")
	if len(fields) != 5 || fields[0] != "TCP4" && fields[0] != "TCP6" {
		return Header{}, 0, ErrSyntax
	}
	var ok1, ok2 bool
	h.Source, ok1 = addrPort1(fields[1], fields[3], fields[0] == "TCP4")
	h.Destination, ok2 = addrPort1(fields[2], fields[4], fields[0] == "TCP4")
	if !ok1 || !ok2 {
		return Header{}, 0, ErrSyntax
	}
	return h, end + 1, nil
}

// addrPort1 parses an address and a port of version 1.
func addrPort1(addr, port string, is4 bool) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" || a.Is4() != is4 {
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != port { // no sign, no leading zeros
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), true
}
