package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed58c87869/siren/session/sessiontest"
)

// metric returns the value of a series; 0 when there is none.
func metric(t *testing.T, admin, series string) float64 {
	t.Helper()
	_, text := get(t, "http://"+admin+"/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(series, err)
	}
	return v
}

// awaitMetric waits until a series has at least that value.
func awaitMetric(t *testing.T, admin, series string, least float64) {
	t.Helper()
	var v float64
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if v = metric(t, admin, series); v >= least {
			return
		}
	}
	t.Fatalf("%s is %v, want %v", series, v, least)
}

// A process that stood still tells so: all of the measurements of the loops' lag that were due meanwhile are made up for,
// and the log names the loop.
func TestFaultStandstill(t *testing.T) {
	p := startProcess(t, nil, "--admin-listen", "127.0.0.1:0")
	awaitMetric(t, p.admin, `siren_loop_lag_seconds_count{loop="0"}`, 1) // it measures
	p.signal(t, syscall.SIGSTOP)
	time.Sleep(5 * time.Second)
	p.signal(t, syscall.SIGCONT)
	p.until(t, "an event loop was late")
	awaitMetric(t, p.admin, `siren_loop_lag_seconds_count{loop="0"}`, 40)
	all := metric(t, p.admin, `siren_loop_lag_seconds_count{loop="0"}`)
	if short := metric(t, p.admin, `siren_loop_lag_seconds_bucket{loop="0",le="1"}`); all-short < 30 {
		t.Errorf("%v of %v lags are longer than a second", all-short, all)
	}
}

// A client that stops reading is seen while it is blocked, and when it is disconnected for its queue.
func TestFaultDeafClient(t *testing.T) {
	p := startProcess(t, nil, "--admin-listen", "127.0.0.1:0")
	if _, err := sessiontest.JoinWebSocket(connect(t, p.addr), "/socket.io/"); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"event":"e","args":[%q]}`, strings.Repeat("x", 512<<10))
	blocked, queued := false, false
	for end := time.Now().Add(patience); metric(t, p.admin, `siren_disconnects_total{reason="queue full"}`) == 0; {
		if time.Now().After(end) {
			t.Fatal("the client stays")
		}
		post(t, "http://"+p.admin+"/api/emit", "", body)
		blocked = blocked || metric(t, p.admin, "siren_blocked_connections") == 1
		queued = queued || metric(t, p.admin, "siren_queue_bytes") > 512<<10
	}
	if !blocked || !queued {
		t.Errorf("blocked %v, queued %v", blocked, queued)
	}
	awaitMetric(t, p.admin, `siren_dropped_total{reason="queue_full"}`, 1)
}

// A thousand clients that are cut at once are counted under the reason.
func TestFaultManyCut(t *testing.T) {
	const clients = 1000
	p := startProcess(t, nil, "--admin-listen", "127.0.0.1:0")
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = connect(t, p.addr)
		if _, err := sessiontest.JoinWebSocket(conns[i], "/socket.io/"); err != nil {
			t.Fatal(err)
		}
	}
	awaitMetric(t, p.admin, `siren_connections{transport="websocket"}`, clients)
	for _, c := range conns {
		_ = c.Close()
	}
	awaitMetric(t, p.admin, `siren_disconnects_total{reason="transport close"}`, clients)
	if n := metric(t, p.admin, `siren_connections{transport="websocket"}`); n != 0 {
		t.Errorf("%v connections are left", n)
	}
}

// A log that cannot be written is counted, and the node serves.
func TestFaultFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	admin := fmt.Sprint("127.0.0.1:", freePort(t))
	cmd := exec.Command(self, "serve", "--addr", "127.0.0.1:0", "--admin-listen", admin)
	cmd.Env = append(os.Environ(), commandEnv+"=1")
	cmd.Stderr = full
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", admin); err == nil {
			_ = c.Close()
			break
		}
	}
	awaitMetric(t, admin, `siren_log_records_lost_total{reason="not_written"}`, 1)
	if status, _ := get(t, "http://"+admin+"/healthz"); status != 200 {
		t.Error(status)
	}
}
