package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// cpuTime returns the processor time that a process has used.
func cpuTime(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// lags returns how many lags of loops were measured, and how many of them were longer than a millisecond.
func lags(text string) (all, long float64) {
	for _, m := range regexp.MustCompile(`(?m)^siren_loop_lag_seconds_(count\{|bucket\{.*le="0.001"\}).* (\S+)$`).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseFloat(m[2], 64)
		if m[1] == "count{" {
			all += n
			long += n
		} else {
			long -= n
		}
	}
	return all, long
}

// A scrape of a node with many clients in many rooms has the right numbers. With SIREN_SOAK the log tells what it takes:
// its time, the node's processor time for it, and how many loops were late while one scrape followed the other and while
// there were none.
func TestScrapeOfManyClients(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		clients, rooms, scrapes := 500, 300, 5
		if netns.Soaking() {
			clients, rooms, scrapes = 18_000, 10_000, 200
		}
		file := newConfigFile(t, "namespaces: [{name: /, join: true}]\n")
		p, url := startWithAPI(t, "--config", string(file))
		for i := range clients {
			w, err := sessiontest.JoinWebSocket(connect(t, p.addr), "/socket.io/")
			if err == nil {
				err = w.Send(fmt.Sprintf(`42["join","room-%d"]`, i%rooms))
			}
			if err != nil {
				t.Fatal(i, err)
			}
		}
		awaitMetric(t, p.admin, `siren_rooms{namespace="/"}`, float64(rooms))
		if n := metric(t, p.admin, `siren_sockets{namespace="/"}`); n != float64(clients) {
			t.Errorf("%v sockets", n)
		}
		var times []time.Duration
		_, text := get(t, url+"/metrics")
		allBefore, longBefore := lags(text)
		cpu, begun := cpuTime(t, p.cmd.Process.Pid), time.Now()
		for range scrapes {
			begin := time.Now()
			if status, text := get(t, url+"/metrics"); status != 200 || !strings.Contains(text, "siren_rooms") {
				t.Fatal(status, text)
			}
			times = append(times, time.Since(begin))
		}
		cpu, took := cpuTime(t, p.cmd.Process.Pid)-cpu, time.Since(begun)
		if !netns.Soaking() {
			return
		}
		_, text = get(t, url+"/metrics")
		all, long := lags(text)
		slices.Sort(times)
		t.Logf("a scrape of %d bytes took %v, in the median %v; of the node's processor time %v each", len(text),
			times[0], times[len(times)/2], (cpu / time.Duration(scrapes)).Round(time.Microsecond))
		t.Logf("%v of %v lags were longer than 1 ms, in %v of scrapes", long-longBefore, all-allBefore, took)
		cpu = cpuTime(t, p.cmd.Process.Pid)
		time.Sleep(took)
		cpu = cpuTime(t, p.cmd.Process.Pid) - cpu
		_, text = get(t, url+"/metrics")
		allAfter, longAfter := lags(text)
		t.Logf("%v of %v as long as that without scrapes, and %v of processor time", longAfter-long, allAfter-all, cpu)
	})
}
