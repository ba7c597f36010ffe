package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
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
	// leave ends the client where it has come back to; nil before.
	leave func()
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

// comeBack connects a client whose connection has ended, by the transport that it began with.
func (n *numbered) comeBack(addr, transport string) {
	conn, err := netns.Dialer(smallWindow).Dial("tcp", addr)
	if err != nil {
		n.err = err
		return
	}
	n.leave = func() { _ = conn.Close() }
	if transport == "websocket" {
		_, n.err = sessiontest.JoinWebSocket(conn, "/socket.io/")
		return
	}
	p, err := sessiontest.JoinPolling(conn, nil, "/socket.io/")
	n.err = err
	n.leave = func() {
		if n.err == nil {
			n.err = p.Post("1") // or what is sent to it would wait, and be lost
		}
		_ = conn.Close()
	}
}

// crowd connects clients of all kinds to a node and has them read until their end: half WebSockets and half polling, of
// which some read slowly and some upgrade at a random time. Then each comes back at next, unless that is empty.
func crowd(t *testing.T, addr, next string, size int, upgradeWithin time.Duration) (all []*numbered, ended *sync.WaitGroup) {
	t.Helper()
	ended = new(sync.WaitGroup)
	for i := range size {
		n := &numbered{last: -1}
		all = append(all, n)
		until := func(transport string, end func() sessiontest.Ending) {
			ended.Go(func() {
				if n.end(end()); next != "" && n.err == nil {
					n.comeBack(next, transport)
				}
			})
		}
		conn := connect(t, addr)
		if i%10 < 2 {
			conn = slowly(conn)
		}
		if i%2 == 0 {
			w, err := sessiontest.JoinWebSocket(conn, "/socket.io/")
			if err != nil {
				t.Fatal(err)
			}
			until("websocket", w.Rest)
			continue
		}
		p, err := sessiontest.JoinPolling(conn, connect(t, addr), "/socket.io/")
		if err != nil {
			t.Fatal(err)
		}
		if i%10 != 3 {
			until("polling", func() sessiontest.Ending { return p.Rest(false) })
			continue
		}
		second := connect(t, addr)
		until("polling", func() sessiontest.Ending {
			// Until then it is away, and events wait for it.
			time.Sleep(rand.N(upgradeWithin))
			return upgradeAndRest(p, second, n)
		})
	}
	return all, ended
}

// ticker emits numbered events by the API until that refuses. It counts the events, and returns the number of sockets
// that they were queued for.
func ticker(t *testing.T, url string, every time.Duration, stop *atomic.Bool, events *atomic.Int64) (queued int) {
	padding := strings.Repeat("x", 200)
	for !stop.Load() {
		status, body := post(t, url+"/api/emit", "", fmt.Sprintf(`{"event":"tick","args":[%d,%q]}`, events.Load(), padding))
		if status != http.StatusOK {
			if status != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
				t.Errorf("an event was refused with %d %s", status, body)
			}
			return queued
		}
		var n int
		if _, err := fmt.Sscanf(body, `{"count":%d,`, &n); err != nil {
			t.Error(body)
		}
		if queued += n; n == 0 {
			return queued
		}
		events.Add(1)
		time.Sleep(every)
	}
	return queued
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

// trouble returns the metrics of a process that tell of clients that were refused or ended, and of late loops.
func trouble(t *testing.T, url string) string {
	_, text := get(t, url+"/metrics")
	found := regexp.MustCompile(`(?m)^siren_(refused|dropped|disconnects|handshakes|upgrades|connects|loop_lag)\w*\{.* [^0]\S*$`)
	return strings.Join(found.FindAllString(text, -1), "\n")
}

// checkBack wants all clients of a crowd, and no others, at the process that serves the API, and has them leave it.
func checkBack(t *testing.T, url string, all []*numbered) {
	t.Helper()
	want := fmt.Sprintf(`{"sockets":%d}`, len(all))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, body := post(t, url+"/api/count", "", "{}")
		if body == want {
			break
		}
		if time.Now().After(end) {
			t.Errorf("%s are back, want %s; there:\n%s", body, want, trouble(t, url))
			break
		}
	}
	var leaving sync.WaitGroup // at once, because the answer to a close packet waits a moment for a request
	for i, n := range all {
		if n.leave == nil {
			t.Errorf("client %d has not come back: %v", i, n.err)
			continue
		}
		leaving.Go(func() {
			if n.leave(); n.err != nil {
				t.Errorf("client %d, back again: %v", i, n.err)
			}
		})
	}
	leaving.Wait()
}

// nothingLost is what a process says at its end when nothing was lost.
var nothingLost = []string{" late=0 ", " packets_unwritten=0 ", " connections_cut=0 ", " sessions_unfetched=0 ", " handlers=0 "}

// wantStopped checks that a process tells a regular end in its log, with the parts.
func (p *process) wantStopped(t *testing.T, parts ...string) {
	t.Helper()
	line := p.until(t, "siren stopped")
	for _, want := range parts {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
}

// crowdSize is the number of clients in the tests of drains and restarts: fewer in a single run.
func crowdSize() int {
	if netns.Soaking() {
		return 5000
	}
	return 1000
}

// SIGTERM under continuous events: clients of all kinds get all events of the time before it, and go on without a gap up
// to their end, of which they are told. Nothing was lost, so the exit code is 0, and all clients are back at a second
// process.
func TestDrainUnderTraffic(t *testing.T) { soak(t, drainUnderTraffic) }

// soak runs a test in a network with small buffers, as often as SIREN_SOAK says.
func soak(t *testing.T, test func(t *testing.T)) {
	netns.Run(t, smallBuffers, func(t *testing.T) {
		for i := range netns.Soak() {
			t.Run(strconv.Itoa(i+1), test)
		}
	})
}

func drainUnderTraffic(t *testing.T) {
	size := crowdSize()
	p, url := startWithAPI(t, "--drain-spread", "2s", "--queue-bytes", "8000000")
	second, secondURL := startWithAPI(t)
	all, ended := crowd(t, p.addr, second.addr, size, 3*time.Second)
	var stop atomic.Bool
	var ticking sync.WaitGroup
	var events atomic.Int64
	ticking.Go(func() { ticker(t, url, 20*time.Millisecond, &stop, &events) })
	for events.Load() < 10 {
		time.Sleep(10 * time.Millisecond)
	}
	before := events.Load()
	p.signal(t, syscall.SIGTERM)
	ended.Wait()
	stop.Store(true)
	ticking.Wait()
	p.wantStopped(t, append(nothingLost, fmt.Sprintf(" ended=%d ", size))...)
	checkCrowd(t, all, int(before))
	p.wantExit(t)
	if n := events.Load(); n == before {
		t.Errorf("%d events before the drain, and none while it lasted", before)
	}
	checkBack(t, secondURL, all)
	second.signal(t, syscall.SIGTERM)
	second.wantExit(t)
}

// The call drain turns readiness on both listeners, refuses new clients, and goes on as SIGTERM does, which changes
// nothing any more; other calls are carried out meanwhile.
func TestDrainByAPI(t *testing.T) {
	p, url := startWithAPI(t, "--drain-grace", "300ms")
	all, ended := crowd(t, p.addr, "", 20, time.Millisecond)
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
