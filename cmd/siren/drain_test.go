package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// smallBuffers is a network whose kernel takes little for a client that does not read.
var smallBuffers = netns.Config{Sysctls: map[string]string{"net.ipv4.tcp_wmem": "4096 16384 65536"}}

// startWithAPI is startProcess with an operators' listener, whose URL it returns.
func startWithAPI(t *testing.T, args ...string) (*process, string) {
	t.Helper()
	p := startProcess(t, nil, append([]string{"--admin-listen", "127.0.0.1:0"}, args...)...)
	return p, "http://" + p.admin
}

// numbered collects the events of one client, which are numbered.
type numbered struct {
	last    int // -1 before the first
	wrong   string
	closed  bool
	err     error
	packets int
}

// take notes a message of the client.
func (n *numbered) take(m sessiontest.Message) {
	rest, ok := strings.CutPrefix(m.Text, `42["tick",`)
	if !ok {
		return // the number of sockets, and acknowledgements
	}
	n.packets++
	text, _, _ := strings.Cut(rest, ",")
	i, err := strconv.Atoi(text)
	if (err != nil || n.last >= 0 && i != n.last+1) && n.wrong == "" {
		n.wrong = fmt.Sprintf("%d, and then %s", n.last, rest)
	}
	n.last = i
}

// end notes how the client ended.
func (n *numbered) end(e sessiontest.Ending) {
	for _, m := range e.Messages {
		n.take(m)
	}
	n.closed, n.err = e.Closed, e.Err
}

// upgradeAndRest changes a polling client to a WebSocket and reads until its end.
func upgradeAndRest(p *sessiontest.Polling, conn net.Conn, n *numbered) sessiontest.Ending {
	w, err := sessiontest.OpenWebSocket(conn, "/socket.io/?EIO=4&transport=websocket&sid="+p.SID)
	if err != nil {
		return p.Rest(false) // its session is about to end
	}
	if err := w.Send("2probe"); err != nil {
		return sessiontest.Ending{Err: err}
	}
	if m, err := w.Next(); err != nil || m.Text != "3probe" {
		return p.Rest(false)
	}
	for {
		packets, err := p.Get()
		if err != nil {
			return sessiontest.Ending{Err: err}
		}
		for _, m := range packets {
			switch m.Text {
			case "6": // the server has stopped to send here
				if err := w.Send("5"); err != nil {
					return sessiontest.Ending{Err: err}
				}
				return w.Rest()
			case "1":
				return sessiontest.Ending{Closed: true}
			case "2":
				if err := p.Post("3"); err != nil {
					return sessiontest.Ending{Err: err}
				}
			default:
				n.take(m)
			}
		}
	}
}

// crowd connects clients of all kinds to a node and has them read until their end: half WebSockets and half polling, of
// which some read slowly and some upgrade at a random time.
func crowd(t *testing.T, addr string, size int, upgradeWithin time.Duration) (all []*numbered, ended *sync.WaitGroup) {
	t.Helper()
	ended = new(sync.WaitGroup)
	for i := range size {
		n := &numbered{last: -1}
		all = append(all, n)
		conn := connect(t, addr)
		if i%10 < 2 {
			conn = slowly(conn)
		}
		if i%2 == 0 {
			w, err := sessiontest.JoinWebSocket(conn, "/socket.io/")
			if err != nil {
				t.Fatal(err)
			}
			ended.Go(func() { n.end(w.Rest()) })
			continue
		}
		p, err := sessiontest.JoinPolling(conn, connect(t, addr), "/socket.io/")
		if err != nil {
			t.Fatal(err)
		}
		if i%10 != 3 {
			ended.Go(func() { n.end(p.Rest(false)) })
			continue
		}
		second := connect(t, addr)
		ended.Go(func() {
			// Until then it is away, and events wait for it.
			time.Sleep(rand.N(upgradeWithin))
			n.end(upgradeAndRest(p, second, n))
		})
	}
	return all, ended
}

// ticker emits numbered events by the API until that refuses, and returns the number of events, and of the sockets that
// they were queued for.
func ticker(t *testing.T, url string, every time.Duration, stop *atomic.Bool) (events, queued int) {
	padding := strings.Repeat("x", 200)
	for !stop.Load() {
		status, body := post(t, url+"/api/emit", "", fmt.Sprintf(`{"event":"tick","args":[%d,%q]}`, events, padding))
		if status != http.StatusOK {
			if status != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
				t.Errorf("an event was refused with %d %s", status, body)
			}
			return events, queued
		}
		var n int
		if _, err := fmt.Sscanf(body, `{"count":%d,`, &n); err != nil {
			t.Error(body)
		}
		if queued += n; n == 0 {
			return events, queued
		}
		events++
		time.Sleep(every)
	}
	return events, queued
}

// checkCrowd wants each client to have been told its end, and to have got its events without a gap.
func checkCrowd(t *testing.T, all []*numbered, least int) {
	t.Helper()
	faulty := 0
	for i, n := range all {
		if n.closed && n.err == nil && n.wrong == "" && n.last+1 >= least {
			continue
		}
		if faulty++; faulty <= 5 {
			t.Errorf("client %d: %+v, %v, want at least %d events", i, *n, n.err, least)
		}
	}
	if faulty > 0 {
		t.Errorf("%d of %d clients lost something", faulty, len(all))
	}
}

// SIGTERM under continuous events: clients of all kinds get all of them up to their end, without a gap, and are told
// the end; no event was lost, so the exit code is 0.
func TestDrainUnderTraffic(t *testing.T) {
	netns.Run(t, smallBuffers, func(t *testing.T) {
		const size = 1000
		for range netns.Soak() {
			p, url := startWithAPI(t, "--drain-spread", "2s", "--queue-bytes", "8000000")
			all, ended := crowd(t, p.addr, size, 3*time.Second)
			var stop atomic.Bool
			var ticking sync.WaitGroup
			events := 0
			ticking.Go(func() { events, _ = ticker(t, url, 20*time.Millisecond, &stop) })
			time.Sleep(time.Second)
			p.signal(t, syscall.SIGTERM)
			ended.Wait()
			stop.Store(true)
			ticking.Wait()
			line := p.until(t, "siren stopped")
			for _, want := range []string{" ended=1000 ", " late=0 ", " packets_unwritten=0 ", " connections_cut=0 ", " sessions_unfetched=0 ", " handlers=0 "} {
				if !strings.Contains(line, want) {
					t.Errorf("no %q in %s", want, line)
				}
			}
			checkCrowd(t, all, 10)
			p.wantExit(t)
			if events < 30 {
				t.Errorf("only %d events", events)
			}
		}
	})
}

// The call drain turns readiness on both listeners, refuses new clients, and goes on as SIGTERM does, which changes
// nothing any more; other calls are carried out meanwhile.
func TestDrainByAPI(t *testing.T) {
	p, url := startWithAPI(t, "--drain-grace", "300ms")
	all, ended := crowd(t, p.addr, 20, time.Millisecond)
	for _, page := range []string{"http://" + p.addr + "/readyz", url + "/readyz"} {
		if status, body := get(t, page); status != 200 {
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
	const answer = `{"draining":true,"sessions":20,"timeout_ms":60000,"spread_ms":5000}`
	for range 2 {
		if status, body := post(t, url+"/api/drain", "", `{"timeout_ms":60000,"spread_ms":5000}`); status != 200 || body != answer {
			t.Errorf("drain: %d %s", status, body)
		}
	}
	if status, body := post(t, url+"/api/drain", "", `{}`); status != 200 || body != answer {
		t.Errorf("a second call: %d %s", status, body)
	}
	for page, want := range map[string]string{
		"http://" + p.addr + "/readyz": "503 draining\n", url + "/readyz": "503 {\"status\":\"draining\"}\n",
		"http://" + p.addr + "/healthz": "200 ok\n", url + "/healthz": "200 ok\n",
	} {
		if status, body := get(t, page); fmt.Sprint(status, " ", body) != want {
			t.Errorf("%s: %d %q", page, status, body)
		}
	}
	p.signal(t, syscall.SIGTERM)
	refused := func() bool {
		r, err := http.Get("http://" + p.addr + "/socket.io/?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusServiceUnavailable && r.Close
	}
	for !refused() {
		time.Sleep(10 * time.Millisecond)
	}
	status, body := post(t, url+"/api/stats", "", "{}")
	if status != 200 || !strings.Contains(body, `"draining":true`) || strings.Contains(body, `"draining":0`) {
		t.Errorf("stats: %d %s", status, body)
	}
	if status, body := post(t, url+"/api/emit", "", `{"event":"tick","args":[0,""]}`); status != 200 || strings.HasPrefix(body, `{"count":0,`) {
		t.Errorf("emit: %d %s", status, body)
	}
	ended.Wait()
	checkCrowd(t, all, 0)
	if line := p.until(t, "siren stopping"); !strings.Contains(line, "asked by the API") || !strings.Contains(line, "spread=5s") {
		t.Error(line)
	}
	p.until(t, " packets_unwritten=0 ")
	p.wantExit(t)
}

// At drain.timeout the rest is cut, which the exit code and the log tell.
func TestDrainTimeout(t *testing.T) {
	netns.Run(t, smallBuffers, func(t *testing.T) {
		p, url := startWithAPI(t, "--drain-timeout", "1s", "--queue-bytes", "8000000")
		if _, err := sessiontest.JoinWebSocket(connect(t, p.addr), "/socket.io/"); err != nil { // never reads
			t.Fatal(err)
		}
		text := strings.Repeat("x", 900_000)
		for range 4 {
			if status, body := post(t, url+"/api/emit", "", fmt.Sprintf(`{"event":"blob","args":[%q]}`, text)); status != 200 {
				t.Fatal(status, body)
			}
		}
		p.signal(t, syscall.SIGTERM)
		line := p.until(t, "siren stopped")
		if !strings.Contains(line, " connections_cut=1 ") || strings.Contains(line, " packets_unwritten=0 ") || !strings.Contains(line, "level=WARN") {
			t.Error(line)
		}
		if status, ok := p.wait(t); ok && (!status.Exited() || status.ExitStatus() != int(exitLoss)) {
			t.Errorf("exit code %d, signal %v", status.ExitStatus(), status.Signal())
		}
	})
}
