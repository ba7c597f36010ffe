package proxyproto

import (
	"encoding/binary"
	"net/netip"
)

// The fixed part of version 2 (section 2.2): the signature, version and command, family and protocol, and the length
// of the rest.
const (
	head2Bytes = 16

	version2     = 2
	commandLocal = 0
	commandProxy = 1

	familyUnspec = 0
	familyInet   = 1
	familyInet6  = 2
	familyUnix   = 3

	protocolUnspec = 0
	protocolStream = 1

	inetBytes  = 4 + 4 + 2 + 2
	inet6Bytes = 16 + 16 + 2 + 2
	unixBytes  = 108 + 108
)

// parse2 reads a header of version 2. TLVs after the addresses are skipped.
func parse2(data []byte) (Header, int, error) {
	if len(data) < head2Bytes {
		// Check version and command as soon as they are there, before the length has arrived.
		if len(data) > len(prefix2) && data[12]>>4 != version2 {
			return Header{}, 0, ErrUnsupported
		}
		return Header{}, 0, nil
	}
	version, command := data[12]>>4, data[12]&0xF
	family, protocol := data[13]>>4, data[13]&0xF
	size := int(binary.BigEndian.Uint16(data[14:]))
	switch {
	case version != version2 || command > commandProxy:
		return Header{}, 0, ErrUnsupported
	case head2Bytes+size > HeaderBytesMax:
		return Header{}, 0, ErrTooLong
	}
	h := Header{Version: 2, Local: command == commandLocal}
	need, ok := addressBytes(family, protocol)
	if h.Local {
		need, ok = 0, true // section 2.2: the family is ignored
	}
	switch {
	case !ok:
		return Header{}, 0, ErrUnsupported
	case size < need:
		return Header{}, 0, ErrSyntax
	case len(data) < head2Bytes+size:
		return Header{}, 0, nil
	}
	body := data[head2Bytes : head2Bytes+size]
	switch {
	case h.Local:
	case family == familyInet:
		h.Source = addrPort2(body[0:4], body[8:10])
		h.Destination = addrPort2(body[4:8], body[10:12])
	case family == familyInet6:
		h.Source = addrPort2(body[0:16], body[32:34])
		h.Destination = addrPort2(body[16:32], body[34:36])
	}
	return h, head2Bytes + size, nil
}

// addressBytes returns the length of the addresses. It returns false if family and protocol are not a known stream.
func addressBytes(family, protocol byte) (int, bool) {
	switch {
	case family == familyUnspec && protocol == protocolUnspec:
		return 0, true
	case protocol != protocolStream:
		return 0, false
	}
	switch family {
	case familyInet:
		return inetBytes, true
	case familyInet6:
		return inet6Bytes, true
	case familyUnix:
		return unixBytes, true
	}
	return 0, false
}

func addrPort2(addr, port []byte) netip.AddrPort {
	a, _ := netip.AddrFromSlice(addr) // the length is 4 or 16
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(port))
}
