package million

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/seed58c87869/siren/bench"
)

// Config describes a run. A plain value; Run does not change it.
type Config struct {
	// Clients is how many there are, the publisher included.
	Clients int
	// Broadcasts go to all clients, one after the other, Size bytes each.
	Broadcasts, Size int
	// PingInterval and PingTimeout are the server's. Heartbeats of a million clients cost what 40,000 messages a second
	// do at 25 s, so a run may want fewer.
	PingInterval, PingTimeout time.Duration
	// ConnectRate bounds new clients per second; 0 means as many as the server takes.
	ConnectRate int
	// Timeout bounds the whole run, Stall the time without a delivery after which absent ones count as missing.
	Timeout, Stall time.Duration
	// Force starts even if the machine does not seem to be set up for it.
	Force bool
	// Server starts a process that calls Serve, Child one that calls bench.Child.
	Server, Child []string
	// Progress is told how far it is, on the goroutine of Run. Nil: nobody is.
	Progress func(bench.Progress)
	// Planned is told how the clients are spread before anything starts. Nil: nobody is.
	Planned func(Plan)
}

// Result is what was measured: a fan-out without rooms, and how it was set up. A plain value.
type Result struct {
	Plan   Plan
	Fanout *bench.Result
}

// Run makes the run. An error means that there is nothing to report.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	m, err := Look()
	if err != nil {
		return nil, err
	}
	plan, err := m.Plan(cfg.Clients)
	if err != nil && !(cfg.Force && errors.Is(err, ErrMachine)) {
		return nil, err
	}
	if plan.Port, err = freePort(m.PortsFrom); err != nil {
		return nil, err
	}
	if cfg.Planned != nil {
		cfg.Planned(plan)
	}
	s, err := startServer(cfg.Server, job{
		Addr: net.JoinHostPort(loopback, strconv.Itoa(plan.Port)), Loops: plan.Loops, PrivateFiles: plan.PrivateFiles,
		PingInterval: cfg.PingInterval, PingTimeout: cfg.PingTimeout,
	})
	if err != nil {
		return nil, err
	}
	r, err := bench.Run(ctx, bench.Config{
		Vocabulary: bench.VocabularyLoad,
		Kind:       bench.KindFanout, URL: "http://" + net.JoinHostPort(loopback, strconv.Itoa(plan.Port)), All: true,
		// The publisher is one of the clients: it gets the broadcasts too.
		Subscribers: cfg.Clients - 1, Broadcasts: 1, Size: cfg.Size, Repeat: cfg.Broadcasts,
		Processes: plan.Processes, ConnectRate: cfg.ConnectRate, Retry: true,
		Timeout: cfg.Timeout, Stall: cfg.Stall, PIDs: []int{s.pid()}, Command: cfg.Child, Progress: cfg.Progress,
	})
	if failed := s.stop(); err == nil && failed != nil && r.Partial == "" {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	return &Result{Plan: plan, Fanout: r}, nil
}

// loopback is where the server listens; clients come from this address and those behind it.
const loopback = "127.0.0.1"

// portTries is how many ports are looked at.
const portTries = 1000

// freePort finds a port below those that the kernel gives to clients: a client that got the server's own port could not
// be told from the server.
func freePort(below int) (int, error) {
	for port := below - 1; port > max(1024, below-portTries); port-- {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no port below %d is free", below)
}
