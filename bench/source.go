package bench

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Where Linux keeps the range of ephemeral ports, and its default.
const (
	portRangeFile    = "/proc/sys/net/ipv4/ip_local_port_range"
	portRangeDefault = 60999 - 32768 + 1
)

// sourcesMax is the number of loopback source addresses, 127.0.0.1 to .254.
const sourcesMax = 254

// sources hands out source addresses for connections to a loopback server;
// loop-owned. The zero value never binds. A connection is identified by both
// its ends, so each source address brings another range of ports.
type sources struct {
	perAddress int // connections before the next address is used
	used       int // connections handed out
	skipped    int // addresses that ran out of ports early
}

// newSources returns the source addresses of one worker. Workers share the
// ports of an address, so each gets its part of them. Half of the range is
// used: the kernel prefers ports of one parity for connect and searches
// slowly once those are gone.
func newSources(t target, workers int) sources {
	if !t.addr.Addr().Is4() || !t.addr.Addr().IsLoopback() {
		return sources{}
	}
	return sources{perAddress: max(1, ephemeralPorts()/2/workers)}
}

// next returns the address to bind the next connection to; ok is false when
// the kernel shall choose.
func (s *sources) next() (addr netip.Addr, ok bool) {
	if s.perAddress == 0 {
		return netip.Addr{}, false
	}
	i := (s.used/s.perAddress + s.skipped) % sourcesMax
	s.used++
	return netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i)}), true
}

// exhausted tells that the last address had no port left. It returns false
// when there is no other one to try.
func (s *sources) exhausted() bool {
	if s.perAddress == 0 || s.skipped >= sourcesMax {
		return false
	}
	s.skipped++
	return true
}

// ephemeralPorts returns how many ports the kernel may choose from.
func ephemeralPorts() int {
	text, err := os.ReadFile(portRangeFile)
	if err != nil {
		return portRangeDefault
	}
	n, err := parsePortRange(string(text))
	if err != nil {
		return portRangeDefault
	}
	return n
}

// parsePortRange reads "low high" and returns the number of ports.
func parsePortRange(text string) (int, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0, fmt.Errorf("bench: port range %q", text)
	}
	low, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0, fmt.Errorf("bench: port range: %w", err)
	}
	high, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0, fmt.Errorf("bench: port range: %w", err)
	}
	if high < low {
		return 0, fmt.Errorf("bench: port range %q is empty", text)
	}
	return high - low + 1, nil
}
