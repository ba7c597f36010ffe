package bench

import (
	"net/url"
	"runtime"
	"strconv"
	"time"
)

// Observer reads the processor time and memory of a server on this machine, for loads that other packages make. It
// belongs to one goroutine.
type Observer struct {
	shared bool
	server *processes // nil when not known
}

// Usage is what processes have used so far. A plain value.
type Usage struct {
	// Client is the processor time of this process, Server that of the server's processes, 0 if these are not known.
	Client, Server time.Duration
	// Memory is the resident memory of the server in bytes, 0 if it is not known.
	Memory int64
}

// Observe finds the processes of the server with that URL; pids names them if they are known. The note, if there is
// one, says why there is no figure of the server.
func Observe(u *url.URL, pids []int) (o *Observer, note string) {
	o = &Observer{}
	t := target{name: u.Hostname(), port: 80}
	if u.Scheme == "https" || u.Scheme == "wss" {
		t.port = 443
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		t.port = uint16(n)
	}
	t, err := t.resolve()
	if err != nil || !supported {
		return o, "no CPU and memory figures of the server"
	}
	if o.shared = t.local(); !o.shared {
		return o, "the server is on another machine: no CPU and memory figures of it"
	}
	if len(pids) == 0 {
		if pids, err = listenerOwners(procRoot, t.addr); err != nil {
			return o, "no CPU and memory figures: " + err.Error()
		}
	}
	o.server = &processes{root: procRoot, pids: pids}
	if _, err := o.server.cpu(); err != nil {
		o.server = nil
		return o, "no CPU and memory figures: " + err.Error()
	}
	return o, ""
}

// Shared reports whether the server runs on this machine.
func (o *Observer) Shared() bool { return o.shared }

// Known reports whether the server's processes are known.
func (o *Observer) Known() bool { return o.server != nil }

// Read reads all clocks. Figures that cannot be read are 0.
func (o *Observer) Read() Usage {
	u := Usage{Client: ownCPU().total()}
	if o.server == nil {
		return u
	}
	if t, err := o.server.cpu(); err == nil {
		u.Server = t.total()
	}
	u.Memory, _ = o.server.resident() // 0 says that it is not known
	return u
}

// NeedDescriptors checks that this process may open that many connections. Its error wraps ErrDescriptors.
func NeedDescriptors(connections int) error {
	const own = 32
	return needDescriptors(connections + own)
}

// NewResult returns the result of a run that begins now, for loads that other packages make.
func NewResult(s Scenario, shared bool) *Result {
	return &Result{
		Started:  time.Now(),
		Scenario: s,
		Machine: Machine{
			CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Arch: runtime.GOARCH,
			Kernel: kernel(), Go: runtime.Version(), Shared: shared,
		},
		Connects: []Connect{}, Bursts: []Burst{}, Metrics: []Metric{}, Curves: []Curve{},
	}
}

// Note adds a remark that one must know to read the figures, once.
func (r *Result) Note(text string) { r.note(text) }

// Finish decides whether a result of NewResult is OK, after so many complete rounds.
func (r *Result) Finish(rounds int) {
	r.rounds = rounds
	r.finish()
}
