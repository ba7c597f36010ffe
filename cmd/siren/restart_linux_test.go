package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// shared are the addresses of the processes of a restart, in a network namespace of their own.
const (
	sharedClients = "127.0.0.1:3000"
	sharedAdmin   = "127.0.0.1:3001"
)

// startShared starts a process that shares its ports with the one before.
func startShared(t *testing.T, args ...string) *process {
	t.Helper()
	return startCommand(t, nil, func(cmd *exec.Cmd) {
		line := []string{cmd.Args[0], "serve", "--reuse-port", "--addr", sharedClients, "--admin-listen", sharedAdmin}
		cmd.Args = append(line, args...)
	})
}

// newcomersMax bounds the newcomers that wait at a time: with more, the machine is too slow for their rate.
const newcomersMax = 2000

// join connects a client, which leaves at once.
func join(addr, transport string) error {
	conn, err := netns.Dialer(smallWindow).Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if transport == "websocket" {
		_, err = sessiontest.JoinWebSocket(conn, "/socket.io/")
		return err
	}
	p, err := sessiontest.JoinPolling(conn, nil, "/socket.io/")
	if err == nil {
		err = p.Post("1") // or what is sent to it would wait, and be lost
	}
	return err
}

// newcomers has so many clients a second connect until stop is set, by both transports in turn, no matter how fast they are
// served. None may be refused. A client is not that when its session had begun and the process ended it in order, before
// the client got as far as CONNECT: it comes again, as official clients do.
func newcomers(t *testing.T, addr string, perSecond int, stop *atomic.Bool) (served *atomic.Int64, all *sync.WaitGroup) {
	served, all = new(atomic.Int64), new(sync.WaitGroup)
	waiting := make(chan struct{}, newcomersMax)
	all.Go(func() {
		begun := time.Now()
		for i := 0; !stop.Load(); i++ {
			time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Second / time.Duration(perSecond))))
			waiting <- struct{}{}
			transport := []string{"websocket", "polling"}[i%2]
			all.Go(func() {
				err := join(addr, transport)
				if errors.Is(err, sessiontest.ErrGoodbye) {
					err = join(addr, transport)
				}
				if err != nil {
					t.Errorf("newcomer %d on %s was refused: %v", i, transport, err)
				}
				served.Add(1)
				<-waiting
			})
		}
		t.Logf("%d newcomers, %.0f a second", served.Load(), float64(served.Load())/time.Since(begun).Seconds())
	})
	return served, all
}

// newcomersPerSecond is the rate of newcomers in a test of restarts.
func newcomersPerSecond() int {
	if netns.Soaking() {
		return 500
	}
	return 100
}

// A restart under continuous events and new clients: nobody is refused, on either listener; clients of all kinds get
// their events without a gap up to their end, and are back at the new process; each call of the API reaches the sockets
// of both processes, and its count is theirs; and the old process ends with exit code 0.
func TestRestart(t *testing.T) { soak(t, restartUnderTraffic) }

func restartUnderTraffic(t *testing.T) {
	const size = 1000
	const url = "http://" + sharedAdmin
	first := startShared(t, "--drain-spread", "2s", "--queue-bytes", "8000000")
	all, ended := crowd(t, sharedClients, sharedClients, size, 3*time.Second)
	var stop, quiet atomic.Bool
	var ticking sync.WaitGroup
	var events atomic.Int64
	queued := 0
	ticking.Go(func() { queued = ticker(t, url, 20*time.Millisecond, &quiet, &events) })
	served, coming := newcomers(t, sharedClients, newcomersPerSecond(), &stop)
	for events.Load() < 10 || served.Load() < 50 {
		time.Sleep(10 * time.Millisecond)
	}
	before, servedBefore := events.Load(), served.Load()
	second := startShared(t, "--drain-spread", "0s", "--queue-bytes", "8000000")
	ended.Wait()
	quiet.Store(true)
	ticking.Wait()
	first.wantStopped(t, nothingLost...)
	first.wantExit(t)
	stop.Store(true)
	coming.Wait()
	checkCrowd(t, all, int(before))
	if n := served.Load(); n < servedBefore+50 {
		t.Errorf("%d newcomers, %d of them before the restart", n, servedBefore)
	}
	got := 0
	for _, n := range all {
		got += n.packets
	}
	if n := events.Load(); n == before || queued < got {
		t.Errorf("%d events, %d of them before the restart, were queued %d times, and reached the crowd %d times", n, before, queued, got)
	}
	checkBack(t, url, all)
	second.signal(t, syscall.SIGTERM)
	second.wantExit(t)
}

// pollAnew is a polling client that makes each request on a new connection, as the official one does in Node.js. It
// returns when it has got a close packet.
func pollAnew(addr string, n *numbered) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: sessiontest.Patience}
	url := "http://" + addr + "/socket.io/?EIO=4&transport=polling"
	post := func(packet string) error {
		r, err := client.Post(url, "text/plain", strings.NewReader(packet))
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode != http.StatusOK {
				err = errors.New(r.Status)
			}
		}
		return err
	}
	for {
		r, err := client.Get(url)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s, %w", r.Status, body, err)
		}
		for packet := range strings.SplitSeq(string(body), "\x1e") {
			switch {
			case packet[0] == '0':
				var open struct{ SID string }
				if err := json.Unmarshal([]byte(packet[1:]), &open); err != nil {
					return err
				}
				url += "&sid=" + open.SID
				err = post("40")
			case packet == "1":
				n.closed = true
				return nil
			case packet == "2":
				err = post("3")
			default:
				n.take(sessiontest.MessageOf(packet))
			}
			if err != nil {
				return err
			}
		}
	}
}

// Polling clients that make each request on a new connection, which comes to the new process, are served by the old one
// until their end, and lose nothing.
func TestRestartPassesPollingClientsOn(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		const size = 100
		first := startShared(t, "--drain-spread", "2s")
		all := make([]*numbered, size)
		var polling, ticking sync.WaitGroup
		for i := range all {
			n := &numbered{last: -1}
			all[i] = n
			polling.Go(func() { n.err = pollAnew(sharedClients, n) })
		}
		for {
			if status, body := post(t, "http://"+sharedAdmin+"/api/count", "", "{}"); status == 200 && body == fmt.Sprintf(`{"sockets":%d}`, size) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		var stop atomic.Bool
		var events atomic.Int64
		ticking.Go(func() { ticker(t, "http://"+sharedAdmin, 10*time.Millisecond, &stop, &events) })
		time.Sleep(100 * time.Millisecond)
		second := startShared(t, "--drain-spread", "0s")
		polling.Wait()
		line := first.until(t, "siren stopped")
		if !strings.Contains(line, " packets_unwritten=0 ") || !strings.Contains(line, fmt.Sprintf(" ended=%d ", size)) {
			t.Error(line)
		}
		first.wantExit(t)
		stop.Store(true)
		ticking.Wait()
		checkCrowd(t, all, 10)
		second.signal(t, syscall.SIGTERM)
		second.wantExit(t)
	})
}

// Until the old process has ended, a call of the API counts the sockets of both, also when it comes to the old one.
func TestRestartAddsCounts(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		first := startShared(t, "--drain-spread", "20s", "--drain-timeout", "1m")
		url := "http://" + sharedAdmin
		// A backend that keeps its connection to the first process.
		kept := &http.Client{Transport: &http.Transport{MaxIdleConns: 1}}
		defer kept.CloseIdleConnections()
		call := func(client *http.Client, call, body, want string) {
			t.Helper()
			r, err := client.Post(url+"/api/"+call, "application/json", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			var text strings.Builder
			if _, err := fmt.Fprint(&text, r.StatusCode, " "); err != nil {
				t.Error(err)
			}
			buf := make([]byte, 4096)
			n, _ := r.Body.Read(buf)
			text.Write(buf[:n])
			if got := text.String(); got != want {
				t.Errorf("%s %s: %s, want %s", call, body, got, want)
			}
		}
		enter := func(addr string) *sessiontest.WebSocket {
			t.Helper()
			w, err := sessiontest.JoinWebSocket(connect(t, addr), "/socket.io/")
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		old := []*sessiontest.WebSocket{enter(sharedClients), enter(sharedClients), enter(sharedClients), enter(sharedClients)}
		call(kept, "count", "{}", `200 {"sockets":4}`)
		second := startShared(t, "--drain-spread", "0s")
		first.until(t, "siren stopping")
		newer := enter(sharedClients)
		// The first turns come at once, one on each event loop.
		for {
			if status, body := post(t, url+"/api/count", "", "{}"); status == 200 && body == `{"sockets":3}` {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, client := range []*http.Client{kept, http.DefaultClient} {
			call(client, "count", "{}", `200 {"sockets":3}`)
			call(client, "emit", `{"event":"e","args":[1]}`, `200 {"count":3,"exact":false}`)
			call(client, "emit/batch", `{"emits":[{"event":"f"},{"event":"token"}]}`, `200 {"results":[{"count":3},`+
				`{"error":{"title":"The name of the event is reserved","status":400,"detail":"the node uses this event itself","code":"reserved_event","field":"emits[1].event"}}]}`)
		}
		call(http.DefaultClient, "disconnect", `{}`, `200 {"count":3}`)
		gotAll := 0
		for _, w := range append(old, newer) {
			_ = w.Send("1")
			e := w.Rest()
			n := 0
			for _, m := range e.Messages {
				if m.Text == `42["e",1]` {
					n++
				}
			}
			if n == 2 {
				gotAll++
			}
		}
		if gotAll != 3 {
			t.Errorf("%d clients got both events", gotAll)
		}
		first.until(t, "siren stopped")
		first.wantExit(t)
		call(http.DefaultClient, "count", "{}", `200 {"sockets":0}`)
		second.signal(t, syscall.SIGTERM)
		second.wantExit(t)
	})
}

// A chain of restarts: each process takes over from the one before, and an address that is not shared is an error that
// costs the process that serves nothing.
func TestRestartAgain(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		var stop atomic.Bool
		processes := []*process{startShared(t, "--drain-spread", "0s")}
		served, coming := newcomers(t, sharedClients, 100, &stop)
		for range 3 {
			next := startShared(t, "--drain-spread", "0s")
			last := processes[len(processes)-1]
			last.until(t, "siren stopped")
			last.wantExit(t)
			processes = append(processes, next)
		}
		// Another program has the operators' address of this one.
		taken, err := net.Listen("tcp", "127.0.0.1:3009")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		code, _, errs := command(t, "serve", "--reuse-port", "--addr", sharedClients, "--admin-listen", "127.0.0.1:3009")
		if code != 1 || !strings.Contains(errs, "address already in use") {
			t.Errorf("exit code %d, %s", code, errs)
		}
		stop.Store(true)
		coming.Wait()
		if served.Load() < 100 {
			t.Errorf("only %d newcomers", served.Load())
		}
		last := processes[len(processes)-1]
		last.signal(t, syscall.SIGTERM)
		last.wantExit(t)
	})
}

// Unix sockets, and those of a supervisor, cannot be shared.
func TestReusePortRefusals(t *testing.T) {
	for _, args := range [][]string{
		{"--addr", "unix:///tmp/siren-never"}, {"--admin-listen", "unix:///tmp/siren-never"},
	} {
		code, _, errs := command(t, append([]string{"serve", "--reuse-port"}, args...)...)
		if code != 1 || !strings.Contains(errs, "cannot share the unix socket") {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
}
