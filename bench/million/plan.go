package million

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// What clients and processes take. Measured on loopback with Linux 6.18 and rounded up: the kernel's memory for both
// ends of an idle WebSocket, the server's and the client's; and that of a client process and of the server without
// clients.
const (
	bytesPerClient  = 11 << 10
	bytesPerProcess = 16 << 20
	bytesOfServer   = 256 << 20
)

const (
	// serverReserve is the number of descriptors of a table that are not for clients: the server's own files, listen
	// queues, and connections that are being refused.
	serverReserve = 1024
	// loopFiles is the number of descriptors of each loop in every table.
	loopFiles = 2
	// clientReserve is the number of descriptors of a client process that are not for sessions.
	clientReserve = 128
	loopsMax      = 256
	processesMax  = 256
	clientsMin    = 2 // one of them publishes
	clientsMax    = 1_000_000
	// filesOfOthers is what the rest of the machine may open meanwhile.
	filesOfOthers = 10_000
	// sourcesMax is the number of loopback addresses that clients connect from. Of the ports of each, the kernel gives
	// half to clients without searching for long.
	sourcesMax = 254
)

// deviations is how many standard deviations a table has room for above its share. The kernel chooses the loop of a
// connection by a hash of its addresses, so their number on a loop has a binomial distribution: beyond ten deviations
// a table is full once in 10^23 runs.
const deviations = 10

// Plan is how many processes and loops hold the clients. A plain value.
type Plan struct {
	Clients int
	// Loops is the number of the server's event loops, 0 for one per processor. With PrivateFiles each has a table of
	// descriptors of its own.
	Loops        int
	PrivateFiles bool
	// Processes is the number of client processes.
	Processes int
	// Port is the one that the server listens on, below those that the kernel gives to clients.
	Port int
	// Memory is what all of it takes, in bytes.
	Memory int64
	// Notes are remarks on settings that slow the run down.
	Notes []string
}

// ErrMachine is wrapped by the errors of Machine.Plan: the machine is not set up for so many clients.
var ErrMachine = errors.New("this machine is not set up for so many clients")

// Plan decides how the machine holds so many clients. The error names everything that is missing, and how to change it.
func (m Machine) Plan(clients int) (Plan, error) {
	if clients < clientsMin || clients > clientsMax {
		return Plan{}, fmt.Errorf("clients must be %d to %d, not %d", clientsMin, clientsMax, clients)
	}
	p := Plan{Clients: clients}
	var missing []string
	lacks := func(format string, args ...any) { missing = append(missing, fmt.Sprintf(format, args...)) }

	if room := m.Files - serverReserve; room < clients {
		if p.Loops = m.privateLoops(clients); p.Loops == 0 {
			lacks("open files: %d are allowed for each process, and %d are needed even with %d tables; ulimit -n %d",
				m.Files, m.filesFor(clients, loopsMax), loopsMax, m.filesFor(clients, loopsMax))
		}
		p.PrivateFiles = true
	}
	if perProcess := m.Files - clientReserve; perProcess > 0 {
		p.Processes = max((clients+perProcess-1)/perProcess, min(m.CPUs, 1+clients/1000))
	}
	if p.Processes < 1 || p.Processes > processesMax {
		need := clients/processesMax + 1 + clientReserve
		lacks("open files: %d are allowed for each process, and a client process needs %d; ulimit -n %d", m.Files, need, need)
		p.Processes = processesMax
	}
	p.Memory = int64(clients)*bytesPerClient + int64(p.Processes)*bytesPerProcess + bytesOfServer
	if m.Available < p.Memory {
		lacks("memory: %s are available, about %s are needed (most of it is the kernel's, for both ends of each connection)",
			gib(m.Available), gib(p.Memory))
	}
	if need := 2*int64(clients) + filesOfOthers; m.FilesFree < need {
		lacks("open files of the machine: %d more are possible, %d are needed; sysctl -w fs.file-max=%d",
			m.FilesFree, need, 2*need)
	}
	if have := (m.PortsTo - m.PortsFrom + 1) / 2 * sourcesMax; have < clients {
		lacks("ports of clients: %d to %d, with %d addresses; sysctl -w net.ipv4.ip_local_port_range='16384 65000'",
			m.PortsFrom, m.PortsTo, sourcesMax)
	}
	if m.Tracked > 0 && m.Tracked < 2*int64(clients) {
		lacks("tracked connections: %d are allowed; sysctl -w net.netfilter.nf_conntrack_max=%d, or do not track loopback's",
			m.Tracked, 2*clients+filesOfOthers)
	}
	if m.ListenQueue < 1024 {
		p.Notes = append(p.Notes, fmt.Sprintf("net.core.somaxconn is %d: connecting is slow, because clients whose "+
			"listen queue is full wait a second; 4096 is usual", m.ListenQueue))
	}
	if len(missing) > 0 {
		return p, fmt.Errorf("%w, which are %d:\n  %s", ErrMachine, clients, strings.Join(missing, "\n  "))
	}
	return p, nil
}

// privateLoops returns the least number of tables that together hold the clients, 0 if no number does.
func (m Machine) privateLoops(clients int) int {
	for loops := max(m.CPUs, 1); loops <= loopsMax; loops++ {
		if m.filesFor(clients, loops) <= m.Files {
			return loops
		}
	}
	return 0
}

// filesFor returns the number of descriptors of each table, if the clients are spread over so many.
func (m Machine) filesFor(clients, loops int) int {
	share := float64(clients) / float64(loops)
	return int(math.Ceil(share+deviations*math.Sqrt(share))) + serverReserve + loopFiles*loops
}

// gib writes bytes in GiB.
func gib(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
