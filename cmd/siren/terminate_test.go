package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// endings collects how clients ended.
type endings struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	list []sessiontest.Ending
	// proxied tells that the clients are behind nginx.
	proxied bool
}

func (e *endings) add(rest func() sessiontest.Ending) {
	e.wg.Go(func() {
		end := rest()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.list = append(e.list, end)
	})
}

// check waits for all clients: each must have been told the end, and have got the events. Behind nginx a connection may
// be reset after its close frame: nginx closes it when the server has, and does not wait for the client's close frame.
func (e *endings) check(t *testing.T, want ...sessiontest.Message) {
	t.Helper()
	e.wg.Wait()
	faulty := 0
	for i := range e.list {
		end := &e.list[i]
		ok := end.Closed && (end.Err == nil || e.proxied && errors.Is(end.Err, syscall.ECONNRESET))
		for _, m := range want {
			ok = ok && end.Has(m)
		}
		if ok {
			continue
		}
		if faulty++; faulty <= 3 {
			t.Errorf("a client ended with %v", end)
		}
	}
	if faulty > 0 {
		t.Errorf("%d of %d clients lost something", faulty, len(e.list))
	}
}

// settings are where the clients of a node are.
var settings = []string{"direct", "nginx"}

// front returns the address for clients.
func front(t *testing.T, setting, addr string) string {
	t.Helper()
	if setting == "nginx" {
		plain, _ := startNginx(t, addr)
		return plain
	}
	return addr
}

// subscribe connects clients and has them join the room.
func subscribe(t *testing.T, transport, addr string, n int, pace func(net.Conn) net.Conn) []func() sessiontest.Ending {
	t.Helper()
	all := make([]func() sessiontest.Ending, n)
	for i := range all {
		conn := connect(t, addr)
		if pace != nil {
			conn = pace(conn)
		}
		if transport == "websocket" {
			c, err := sessiontest.JoinWebSocket(conn, "/socket.io/")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Send(`421["join","room"]`); err != nil {
				t.Fatal(err)
			}
			until(t, `431[{"status":"ok"}]`, func() ([]sessiontest.Message, error) {
				m, err := c.Next()
				return []sessiontest.Message{m}, err
			})
			all[i] = c.Rest
			continue
		}
		p, err := sessiontest.JoinPolling(conn, connect(t, addr), "/socket.io/")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Post(`421["join","room"]`); err != nil {
			t.Fatal(err)
		}
		until(t, `431[{"status":"ok"}]`, p.Get)
		all[i] = func() sessiontest.Ending { return p.Rest(false) }
	}
	return all
}

// until takes messages until one begins as wanted.
func until(t *testing.T, want string, next func() ([]sessiontest.Message, error)) {
	t.Helper()
	for {
		list, err := next()
		if err != nil {
			t.Fatalf("no %s: %v", want, err)
		}
		for _, m := range list {
			if strings.HasPrefix(m.Text, want) {
				return
			}
		}
	}
}

// publishAndTerminate publishes an event of 900 KB to the room and ends the node when that is acknowledged.
func publishAndTerminate(t *testing.T, p *process, addr string, audience []func() sessiontest.Ending) {
	t.Helper()
	all := endings{proxied: addr != p.addr}
	for _, rest := range audience {
		all.add(rest)
	}
	publisher, err := sessiontest.JoinWebSocket(connect(t, p.addr), "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	data := strings.Repeat("0123456789", 90_000)
	if err := publisher.Send(`421["publish",{"room":"room","event":"news","data":"` + data + `"}]`); err != nil {
		t.Fatal(err)
	}
	until(t, fmt.Sprintf(`431[{"status":"ok","count":%d}]`, len(audience)), func() ([]sessiontest.Message, error) {
		m, err := publisher.Next()
		return []sessiontest.Message{m}, err
	})
	p.signal(t, syscall.SIGTERM)
	all.check(t, sessiontest.MessageOf(`42["news","`+data+`"]`))
	p.wantExit(t)
}

// SIGTERM lets clients that read have what was published before.
func TestTerminateDeliversWhatWasPublished(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for range netns.Soak() {
			p := startProcess(t, nil)
			publishAndTerminate(t, p, p.addr, subscribe(t, "websocket", p.addr, 300, nil))
		}
	})
}

// The same for clients that read slowly, with either transport, direct and behind nginx, which is slow for them.
func TestTerminateWaitsForSlowReaders(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, setting := range settings {
			for _, transport := range []string{"websocket", "polling"} {
				t.Run(setting+" "+transport, func(t *testing.T) {
					for range netns.Soak() {
						p := startProcess(t, nil)
						addr := front(t, setting, p.addr)
						publishAndTerminate(t, p, addr, subscribe(t, transport, addr, 20, slowly))
					}
				})
			}
		}
	})
}

// slowly reads 2 MB a second.
func slowly(c net.Conn) net.Conn { return sessiontest.Paced(c, 2<<20) }

// SIGTERM in the middle of traffic: each event reaches as many subscribers as its acknowledgement says, in order and
// without a gap, and each of them is told the end.
func TestTerminateUnderTraffic(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, setting := range settings {
			for _, transport := range []string{"websocket", "polling"} {
				t.Run(setting+" "+transport, func(t *testing.T) {
					for range netns.Soak() {
						p := startProcess(t, nil)
						addr := front(t, setting, p.addr)
						terminateUnderTraffic(t, p, addr, subscribe(t, transport, addr, 20, slowly))
					}
				})
			}
		}
	})
}

func terminateUnderTraffic(t *testing.T, p *process, addr string, audience []func() sessiontest.Ending) {
	t.Helper()
	const events = 200 // of 5 KB: less than waits for a client at most
	data := strings.Repeat("0123456789", 500)
	all := endings{proxied: addr != p.addr}
	for _, rest := range audience {
		all.add(rest)
	}
	publisher, err := sessiontest.JoinWebSocket(connect(t, addr), "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for i := range events {
			// The node stops reading at some point.
			if publisher.Send(fmt.Sprintf(`42%d["publish",{"room":"room","event":"news","data":[%d,"%s"]}]`, i, i, data)) != nil {
				return
			}
		}
	}()
	// Events 0 to 20 are acknowledged.
	var first []sessiontest.Message
	until(t, fmt.Sprintf(`4320[{"status":"ok","count":%d}]`, len(audience)), func() ([]sessiontest.Message, error) {
		m, err := publisher.Next()
		first = append(first, m)
		return []sessiontest.Message{m}, err
	})
	p.signal(t, syscall.SIGTERM)
	// The connection may be reset in the end: it sends more than anybody reads.
	end := publisher.Rest()
	if !end.Closed {
		t.Errorf("the publisher ended with %v", end.String())
	}
	// The acknowledgement of each event has the number of subscribers that it was sent to.
	counts := map[int]int{}
	for _, m := range append(first, end.Messages...) {
		var event, n int
		if _, err := fmt.Sscanf(m.Text, `43%d[{"status":"ok","count":%d}]`, &event, &n); err == nil {
			counts[event] = n
		}
	}
	all.check(t)
	got := map[int]int{}
	for i := range all.list {
		n := 0
		for _, m := range all.list[i].Messages {
			if !strings.HasPrefix(m.Text, `42["news",`) {
				continue
			}
			if m != sessiontest.MessageOf(fmt.Sprintf(`42["news",[%d,"%s"]]`, n, data)) {
				t.Fatalf("a subscriber got %v as event %d", m, n)
			}
			got[n]++
			n++
		}
	}
	for event, n := range counts {
		if got[event] != n {
			t.Errorf("event %d was sent to %d subscribers, and has reached %d", event, n, got[event])
		}
	}
	if len(counts) < 21 {
		t.Errorf("only %d events were acknowledged", len(counts))
	}
	p.wantExit(t)
}

// SIGTERM answers all GETs that wait, with a close packet.
func TestTerminateAnswersWaitingRequests(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, setting := range settings {
			t.Run(setting, func(t *testing.T) {
				for range netns.Soak() {
					p := startProcess(t, nil)
					terminateWaiting(t, p, front(t, setting, p.addr))
				}
			})
		}
	})
}

func terminateWaiting(t *testing.T, p *process, addr string) {
	t.Helper()
	const waiting = 1000
	clients := make([]*sessiontest.Polling, waiting)
	for i := range clients {
		var err error
		if clients[i], err = sessiontest.JoinPolling(connect(t, addr), nil, "/socket.io/"); err != nil {
			t.Fatal(err)
		}
	}
	// The number of clients is the last that they are sent.
	for _, c := range clients {
		until(t, fmt.Sprintf(`42["count",%d]`, waiting), c.Get)
		if err := c.Ask(); err != nil {
			t.Fatal(err)
		}
	}
	// All of the requests have come in when those that came after them are answered, on either loop.
	for range 16 {
		conn := connect(t, addr)
		if _, err := fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	var all endings
	for _, c := range clients {
		all.add(func() sessiontest.Ending { return c.Rest(true) })
	}
	p.signal(t, syscall.SIGTERM)
	all.check(t)
	p.wantExit(t)
}
