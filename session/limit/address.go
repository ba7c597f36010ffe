package limit

import (
	"encoding/binary"
	"net/netip"
)

// Address is a client's address as limits count it: one of IPv4, or the /64 of one of IPv6, because a client has all
// addresses of its network. Zero is no address. Immutable.
type Address uint64

const (
	// ipv4 marks an address of IPv4. It is in ::/8, where no client's network is.
	ipv4 Address = 0x00FF_FFFF_0000_0000
	// unspecified stands for the network ::/64, which has the loopback address.
	unspecified Address = 1
)

// nat64 is the network in which translators show the addresses of IPv4 (RFC 6052, section 2.1): all of them are in one
// /64.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Of returns the Address of an IP address, or zero for the zero Addr, which peers of unix sockets have.
func Of(ip netip.Addr) Address {
	ip = ip.Unmap()
	switch {
	case !ip.IsValid():
		return 0
	case ip.Is4():
		b := ip.As4()
		return ipv4 | Address(binary.BigEndian.Uint32(b[:]))
	}
	b := ip.As16()
	if nat64.Contains(ip.WithZone("")) {
		return ipv4 | Address(binary.BigEndian.Uint32(b[12:]))
	}
	if network := Address(binary.BigEndian.Uint64(b[:8])); network != 0 {
		return network
	}
	return unspecified
}
