package bench

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tcpListen is the state LISTEN in /proc/net/tcp.
const tcpListen = "0A"

// errNoListener means that no listening process was found.
var errNoListener = errors.New("bench: no visible process listens on the server's port")

// listenerOwners finds the processes that listen on an address of this
// machine, in ascending order. root is "/proc".
func listenerOwners(root string, addr netip.AddrPort) ([]int, error) {
	sockets := make(map[string]bool)
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join(root, "net", name))
		if err != nil {
			continue // no IPv6, for example
		}
		for _, inode := range listeningInodes(string(text), addr) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	if len(sockets) == 0 {
		return nil, fmt.Errorf("%w %d", errNoListener, addr.Port())
	}
	links, err := filepath.Glob(filepath.Join(root, "[0-9]*", "fd", "*"))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	var pids []int
	for _, link := range links {
		// Descriptors may be gone by now.
		if to, err := os.Readlink(link); err != nil || !sockets[to] {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link))))
		if err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("%w %d", errNoListener, addr.Port())
	}
	slices.Sort(pids)
	return pids, nil
}

// listeningInodes picks the sockets out of /proc/net/tcp or tcp6 that accept
// connections to addr: those bound to it or to the unspecified address.
func listeningInodes(table string, addr netip.AddrPort) []string {
	const local, state, inode = 1, 3, 9
	var found []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) <= inode || fields[state] != tcpListen {
			continue
		}
		bound, ok := parseProcAddr(fields[local])
		if !ok || bound.Port() != addr.Port() {
			continue
		}
		if bound.Addr().IsUnspecified() || bound.Addr().Unmap() == addr.Addr().Unmap() {
			found = append(found, fields[inode])
		}
	}
	return found
}

// parseProcAddr reads an address as the kernel prints it: 32-bit words in the
// order of the machine (little-endian wherever this runs), then the port.
func parseProcAddr(text string) (addr netip.AddrPort, ok bool) {
	host, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip, uint16(number)), true
}
