package million

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/bench"
)

// Machine is what limits the number of connections between processes of one machine. A plain value.
type Machine struct {
	// CPUs is the number of processors.
	CPUs int
	// Files is the number of files that one table of descriptors may have (RLIMIT_NOFILE).
	Files int
	// FilesFree is the number of files that the machine may still open (fs.file-max).
	FilesFree int64
	// Available is the memory that processes may take without swapping, in bytes.
	Available int64
	// PortsFrom and PortsTo are the ports that the kernel gives to clients, both included.
	PortsFrom, PortsTo int
	// ListenQueue is the longest queue of a listening socket (net.core.somaxconn).
	ListenQueue int
	// Tracked is the number of connections that a firewall may track; 0 if nothing tracks any.
	Tracked int64
}

// Look reads the machine's limits.
func Look() (Machine, error) {
	if runtime.GOOS != "linux" {
		return Machine{}, bench.ErrSystem
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return Machine{}, fmt.Errorf("getrlimit: %w", err)
	}
	m := Machine{CPUs: runtime.NumCPU(), Files: int(min(uint64(limit.Cur), 1<<30))}
	return m, m.read("/proc")
}

// read fills in what proc(5) at root tells.
func (m *Machine) read(root string) error {
	numbers := func(name string, n int) ([]int64, error) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		fields := strings.Fields(string(text))
		if len(fields) < n {
			return nil, fmt.Errorf("%s: %q", name, text)
		}
		list := make([]int64, n)
		for i := range list {
			if list[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		return list, nil
	}
	files, errFiles := numbers("sys/fs/file-nr", 3)
	ports, errPorts := numbers("sys/net/ipv4/ip_local_port_range", 2)
	queue, errQueue := numbers("sys/net/core/somaxconn", 1)
	available, errMemory := memAvailable(filepath.Join(root, "meminfo"))
	if err := errors.Join(errFiles, errPorts, errQueue, errMemory); err != nil {
		return err
	}
	m.FilesFree = files[2] - files[0] + files[1] // opened, of which unused, and the most
	m.PortsFrom, m.PortsTo = int(ports[0]), int(ports[1])
	m.ListenQueue = int(queue[0])
	m.Available = available
	// The count is there as soon as connections can be tracked, and above zero if some are.
	if count, err := numbers("sys/net/netfilter/nf_conntrack_count", 1); err == nil && count[0] > 0 {
		if most, err := numbers("sys/net/netfilter/nf_conntrack_max", 1); err == nil {
			m.Tracked = most[0]
		}
	}
	return nil
}

// memAvailable reads the line MemAvailable of /proc/meminfo, in bytes.
func memAvailable(name string) (int64, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "MemAvailable:" && fields[2] == "kB" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no MemAvailable", name)
}
