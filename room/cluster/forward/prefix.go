package forward

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/seed58c87869/siren/session"
)

// Each request on a link has a prefix: a byte with flags, the length of the client's address, the address, and the
// length of the request.

const (
	flagSecure   byte = 1
	prefixMin         = 2 + 4
	addrBytesMax      = 16 + 2 // IPv6 and a port; sessions know no zones
)

var errPrefix = errors.New("forward: malformed prefix of a request")

// appendPrefix appends the prefix of a request of that length.
func appendPrefix(dst []byte, addr netip.AddrPort, secure bool, request int) []byte {
	at := len(dst)
	dst = append(dst, 0, 0)
	if secure {
		dst[at] = flagSecure
	}
	if addr.IsValid() {
		addr = netip.AddrPortFrom(addr.Addr().WithZone(""), addr.Port())
		dst, _ = addr.AppendBinary(dst) // it never fails
	}
	dst[at+1] = byte(len(dst) - at - 2)
	return binary.BigEndian.AppendUint32(dst, uint32(request))
}

// parsePrefix reads a prefix. n is 0 if data has not all of it.
func parsePrefix(data []byte, requestMax int) (p session.Peer, request, n int, err error) {
	if len(data) < 2 {
		return p, 0, 0, nil
	}
	size := int(data[1])
	if data[0]&^flagSecure != 0 || size != 0 && size != 4+2 && size != addrBytesMax {
		return p, 0, 0, errPrefix
	}
	if len(data) < prefixMin+size {
		return p, 0, 0, nil
	}
	p.Secure = data[0]&flagSecure != 0
	if size > 0 {
		if err := p.Addr.UnmarshalBinary(data[2 : 2+size]); err != nil {
			return p, 0, 0, errPrefix
		}
		p.Addr = netip.AddrPortFrom(p.Addr.Addr().Unmap(), p.Addr.Port())
	}
	length := binary.BigEndian.Uint32(data[2+size:])
	if length == 0 || int64(length) > int64(requestMax) {
		return p, 0, 0, errPrefix
	}
	return p, int(length), prefixMin + size, nil
}
