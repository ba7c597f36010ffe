package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// reasonCounts are the numbers of /api/stats by reason.
type reasonCounts struct{ Dropped, Refused map[string]int }

func (n *testNode) counts(t *testing.T, url string) (c reasonCounts) {
	t.Helper()
	status, body := get(t, url+"/api/stats")
	if err := json.Unmarshal([]byte(body), &c); status != 200 || err != nil {
		t.Fatalf("stats: %d %v", status, err)
	}
	return c
}

// handshake asks for a polling session from a client behind the proxy, and returns the status.
func (n *testNode) handshake(t *testing.T, from string) int {
	t.Helper()
	request, err := http.NewRequest("GET", "http://"+n.addr+"/socket.io/?EIO=4&transport=polling", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", from)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if after, err := strconv.Atoi(r.Header.Get("Retry-After")); r.StatusCode != 200 && (err != nil || after < 1 || after > 5) {
		t.Errorf("%d with Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
	}
	return r.StatusCode
}

// All limits of clients change in a running node, and what they refuse and drop is in the statistics.
func TestLimits(t *testing.T) {
	const rest = both + "proxies: {trusted: [127.0.0.1]}\n"
	file := newConfigFile(t, rest+"limits: {connections_per_address: 2}\n")
	n := startNode(t, "--admin-listen", "127.0.0.1:0", "--config", string(file))
	url := n.operators(t)
	reload := func(limits string, changed ...string) {
		t.Helper()
		file.write(t, rest+limits)
		status, body := post(t, url+"/api/reload", "", "{}")
		want, _ := json.Marshal(changed)
		if status != 200 || !strings.Contains(body, `"changed":`+string(want)) || !strings.Contains(body, `"restart":[]`) {
			t.Fatalf("reload: %d %s, want %s", status, body, want)
		}
	}
	for i, want := range []int{200, 200, 429} {
		if got := n.handshake(t, "203.0.113.9"); got != want {
			t.Errorf("connection %d of an address: %d", i, got)
		}
	}
	if got := n.handshake(t, "2001:db8::1") + n.handshake(t, "2001:db8::2"); got != 400 {
		t.Errorf("two of a network: %d", got)
	}
	if got := n.handshake(t, "2001:db8::3"); got != 429 {
		t.Errorf("the third one of a network: %d", got)
	}

	reload("limits: {accepts_per_second: 1}\n", "limits.connections_per_address", "limits.accepts_per_second")
	refused := 0
	for end := time.Now().Add(patience); refused < 2 && time.Now().Before(end); {
		if n.handshake(t, "203.0.113.9") == 503 {
			refused++
		}
	}
	if page, _ := get(t, "http://"+n.addr+"/"); page != 200 {
		t.Errorf("the page: %d", page)
	}

	reload("limits: {connections: 1}\n", "limits.connections", "limits.accepts_per_second")
	if got := n.handshake(t, "203.0.113.10"); got != 503 {
		t.Errorf("one too many: %d", got)
	}

	reload("limits: {events_per_second: 2}\n", "limits.connections", "limits.events_per_second")
	c := n.dial(t)
	results := map[string]int{}
	for i := range 10 {
		results[c.ask(t, `["leave","r`+strconv.Itoa(i)+`"]`)]++
	}
	const limited = `[{"error":"rate limited"}]`
	if results[limited] == 0 || results[limited]+results[`[{"status":"ok"}]`] != 10 {
		t.Errorf("ten events: %v", results)
	}

	reload("limits: {bytes_per_second: 100}\n", "limits.events_per_second", "limits.bytes_per_second")
	if got := c.ask(t, `["leave","`+strings.Repeat("x", 100)+`"]`); got != limited {
		t.Errorf("too many bytes: %s", got)
	}
	if got := c.ask(t, `["leave","r"]`); got != `[{"status":"ok"}]` {
		t.Errorf("few bytes: %s", got)
	}

	reload("limits: {rooms_per_socket: 1}\n", "limits.bytes_per_second", "limits.rooms_per_socket")
	if got := c.ask(t, `["join",["a","b"]]`); got != `[{"error":"more than 1 rooms"}]` {
		t.Errorf("too many rooms: %s", got)
	}
	got := n.counts(t, url)
	if r, d := got.Refused, got.Dropped; r["connections_per_address"] != 2 || r["accepts_per_second"] != 2 || r["connections"] != 1 ||
		d["events_per_second"] != results[limited] || d["bytes_per_second"] != 1 || d["rooms_per_socket"] != 1 {
		t.Errorf("counted %+v", got)
	}
}

// A client that floods is disconnected after five seconds.
func TestFloodEnds(t *testing.T) {
	n := startNode(t, "--config", string(newConfigFile(t, both+"limits: {events_per_second: 5}\n")))
	c := n.dial(t)
	begin := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, _, err := wsutil.ReadServerData(c.conn); err != nil {
				return
			}
		}
	}()
	flood := time.NewTicker(20 * time.Millisecond)
	defer flood.Stop()
	for limit := time.After(patience); ; {
		select {
		case <-flood.C:
			_ = wsutil.WriteClientMessage(c.conn, ws.OpText, []byte(`42["leave","r"]`))
			continue
		case <-ended:
		case <-limit:
			t.Fatal("not disconnected")
		}
		break
	}
	if lasted := time.Since(begin); lasted < 5*time.Second {
		t.Errorf("disconnected after %v", lasted)
	}
	if got := n.handshake(t, "203.0.113.9"); got != 429 {
		t.Errorf("the address gets %d", got)
	}
}
