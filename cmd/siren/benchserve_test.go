package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/loadserver"
	"github.com/seed58c87869/siren/server"
)

// small makes a scenario short.
var small = map[string]string{
	"fanout":  "--subscribers 20 --broadcasts 30",
	"echo":    "--subscribers 10 --duration 200ms --repeat 1 --warmup 0",
	"polling": "--subscribers 10 --broadcasts 10 --duration 200ms --repeat 1 --warmup 0",
	"upgrade": "--subscribers 10 --broadcasts 20 --gap-us 5000 --repeat 1 --warmup 0",
	"storm":   "--subscribers 20 --repeat 1",
	"slow":    "--subscribers 20 --broadcasts 20 --repeat 1",
	"rooms":   "--subscribers 20 --broadcasts 10 --repeat 1 --warmup 0",
	"connect": "--subscribers 20 --repeat 1 --warmup 0",
}

// runScenario runs a short scenario and returns its result.
func runScenario(t *testing.T, url, name string, more ...string) (r bench.Result, errs string) {
	t.Helper()
	args := append([]string{"bench", name, "--url", url, "--floor=false", "--stall", "1m", "--json", "-"}, strings.Fields(small[name])...)
	_, out, errs := command(t, append(args, more...)...)
	if out != "" {
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return r, errs
}

// The scenarios measure siren serve as it is, and a server with the load profile, without being told which it is.
func TestScenariosTellServersApart(t *testing.T) {
	node := startProcess(t, nil)
	load, err := loadserver.New(slog.New(slog.NewTextHandler(io.Discard, nil)), loadserver.Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = load.Close() })
	for kind, url := range map[string]string{"node": "http://" + node.addr, "load": "http://" + load.Addr().String()} {
		for name := range small {
			t.Run(kind+" "+name, func(t *testing.T) {
				r, errs := runScenario(t, url, name)
				if !r.OK || strings.Contains(strings.Join(r.Notes, " "), "siren serve: ") != (kind == "node" && name != "connect") {
					t.Errorf("%v %v\n%s", r.Reasons, r.Notes, errs)
				}
			})
		}
		t.Run(kind+" fanout to all", func(t *testing.T) {
			if r, errs := runScenario(t, url, "fanout", "--all", "--repeat", "2"); !r.OK || r.Summary.Delivered != 2*21*30 {
				t.Errorf("%v %+v\n%s", r.Reasons, r.Summary, errs)
			}
		})
	}
}

// A server with events of its own gets an error that leads to a profile.
func TestScenariosOfAnotherServer(t *testing.T) {
	srv, err := server.New(server.Config{Loops: 1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	if _, errs := runScenario(t, "http://"+srv.Addr().String(), "fanout"); !strings.Contains(errs, `expected an acknowledgement of "join"; got nothing`) ||
		!strings.Contains(errs, "siren bench init") {
		t.Error(errs)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, errs := runScenario(t, "http://"+l.Addr().String(), "echo"); !strings.Contains(errs, "got connection refused; start the server") {
		t.Error(errs)
	}
}
