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

	"github.com/seed58c87869/siren/poller/pollertest/netns"
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
	if line := p.until(t, "client disconnected: it did not read, and its queue was full"); !strings.Contains(line, "addr=127.0.0.1 ") {
		t.Error(line)
	}
}

// A scrape whose client reads nothing holds nobody up, and is counted and logged when it ends: with its client, or at the
// write time-out of the operators' listener, which SIREN_SOAK waits for.
func TestFaultDeafScrape(t *testing.T) {
	netns.Run(t, smallBuffers, func(t *testing.T) {
		rules := "namespaces:\n" // so many that the kernel does not take the answer
		for i := range 500 {
			rules += fmt.Sprintf("  - name: /space-%d\n", i)
		}
		p, _ := startWithAPI(t, "--config", string(newConfigFile(t, rules)))
		conn := connect(t, p.admin)
		if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 1 { // the answer has begun
			t.Fatal(err)
		}
		const cut = `siren_scrapes_total{result="cut"}`
		if n := metric(t, p.admin, cut); n != 0 {
			t.Errorf("%v scrapes were cut", n)
		}
		awaitMetric(t, p.admin, `siren_scrapes_total{result="ok"}`, 1) // that of others
		if netns.Soaking() {
			time.Sleep(30 * time.Second)
		} else {
			_ = conn.Close()
		}
		awaitMetric(t, p.admin, cut, 1)
		if line := p.until(t, "a scrape was cut"); !strings.Contains(line, "addr=127.0.0.1") {
			t.Error(line)
		}
	})
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
