package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// configFile is a configuration that a test changes while the node runs.
type configFile string

func newConfigFile(t *testing.T, text string) configFile {
	t.Helper()
	f := configFile(filepath.Join(t.TempDir(), "siren.yaml"))
	f.write(t, text)
	return f
}

func (f configFile) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(string(f), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hangup sends SIGHUP and waits for a line of the log.
func (p *process) hangup(t *testing.T, line string) string {
	t.Helper()
	p.signal(t, syscall.SIGHUP)
	return p.until(t, line)
}

const both = `namespaces:
  - {name: "/", publish: true, join: true, presence: true}
  - {pattern: "^/room-[0-9]+$", publish: true, join: true, presence: true}
`

// SIGHUP puts the rules of a new file in force, for sockets that are there as well, and a bad file changes nothing.
func TestReloadRules(t *testing.T) {
	file := newConfigFile(t, both)
	p := startProcess(t, nil, "--config", string(file))
	c := p.dial(t)
	file.write(t, "namespaces: [{name: '/', publish: true, join: true, rooms: ['a-*']}]\n")
	p.hangup(t, "changed=[namespaces]")
	for _, step := range []struct{ send, answer string }{
		{`["join","a-1"]`, `[{"status":"ok"}]`},
		{`["join","b"]`, `[{"error":"not allowed"}]`},
		{`["join",["a-2","b"]]`, `[{"error":"not allowed"}]`},
		{`["publish",{"event":"e","room":"b"}]`, `[{"error":"not allowed"}]`},
		{`["publish",{"event":"e","rooms":["a-1","a-2"]}]`, `[{"status":"ok","count":1}]`},
		{`["publish",{"event":"e","all":true}]`, `[{"error":"not allowed"}]`},
	} {
		if got := c.ask(t, step.send); got != step.answer {
			t.Errorf("%s: %s, want %s", step.send, got, step.answer)
		}
	}
	file.write(t, "namespaces: [{name: '/', publish: yes}]\nlog: {level: loud}\n")
	p.signal(t, syscall.SIGHUP)
	for _, line := range []string{":1: namespaces[0].publish: must be true or false", ":2: log.level: must be one of"} {
		if got := p.until(t, "the configuration stays as it was"); !strings.Contains(got, line) {
			t.Errorf("no %q in %s", line, got)
		}
	}
	if got := c.ask(t, `["join","a-3"]`); got != `[{"status":"ok"}]` {
		t.Errorf("after a bad file: %s", got)
	}
	p.signal(t, syscall.SIGTERM)
	p.wantGraceful(t, c)
}

// A namespace whose rule is gone loses its sockets and takes no others; one with a new rule takes them.
func TestReloadNamespaces(t *testing.T) {
	file := newConfigFile(t, both)
	p := startProcess(t, nil, "--config", string(file))
	c := p.dial(t)
	for _, name := range []string{"/room-1", "/room-2"} {
		if got := c.join(t, name); !strings.HasPrefix(got, "40"+name) {
			t.Fatalf("%s: %s", name, got)
		}
	}
	if got := c.join(t, "/chat"); got != `44/chat,{"message":"Invalid namespace"}` {
		t.Errorf("a namespace without a rule: %s", got)
	}
	file.write(t, "namespaces: [{name: '/', join: true}, {name: '/chat'}, {name: '/room-2'}]\n")
	p.hangup(t, "changed=[namespaces]")
	if got := c.nextButCount(t); got != "41/room-1," {
		t.Errorf("the socket of the namespace that is gone: %s", got)
	}
	if got := c.join(t, "/room-1"); got != `44/room-1,{"message":"Invalid namespace"}` {
		t.Errorf("the namespace that is gone: %s", got)
	}
	if got := c.join(t, "/chat"); !strings.HasPrefix(got, "40/chat,") {
		t.Errorf("the new namespace: %s", got)
	}
	// The one that had a pattern's rule has the rule of its name now.
	c.send(t, `42/room-2,7["join","a"]`)
	if got := c.nextButCount(t); got != `43/room-2,7[{"error":"not allowed"}]` {
		t.Errorf("the namespace whose rule has changed: %s", got)
	}
	file.write(t, both)
	p.hangup(t, "changed=[namespaces]")
	if got := c.nextButCount(t); got != "41/chat," {
		t.Errorf("the socket of the namespace that is gone: %s", got)
	}
	if got := c.join(t, "/room-1"); !strings.HasPrefix(got, "40/room-1,") {
		t.Errorf("the namespace that is back: %s", got)
	}
	c.send(t, `42/room-2,8["join","a"]`)
	if got := c.nextButCount(t); got != `43/room-2,8[{"status":"ok"}]` {
		t.Errorf("the namespace that has the pattern's rule again: %s", got)
	}
	p.signal(t, syscall.SIGTERM)
	p.wantGraceful(t, c)
}

// Origins and the level of the log change in a running node; what a flag sets, and what needs a restart, is named.
func TestReloadOriginsAndLog(t *testing.T) {
	file := newConfigFile(t, "log: {level: info}\n")
	p := startProcess(t, nil, "--config", string(file), "--path", "/live")
	status := func(origin string) int {
		t.Helper()
		request, err := http.NewRequest("GET", "http://"+p.addr+"/live/?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", origin)
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	if got := status("https://evil.example"); got != 200 {
		t.Errorf("without a list: %d", got)
	}
	file.write(t, "log: {level: debug}\ncors: {origins: ['https://app.example']}\npath: /other\nengine: {loops: 1}\n")
	line := p.hangup(t, "read again")
	if !strings.Contains(line, `changed="[cors.origins log.level]"`) || !strings.Contains(line, "overridden=[path]") {
		t.Errorf("what has changed: %s", line)
	}
	if line := p.until(t, "need a restart"); !strings.Contains(line, "keys=[engine.loops]") {
		t.Errorf("what needs a restart: %s", line)
	}
	for origin, want := range map[string]int{"https://app.example": 200, "https://evil.example": 403, "http://" + p.addr: 200} {
		if got := status(origin); got != want {
			t.Errorf("%s: %d, want %d", origin, got, want)
		}
	}
	p.until(t, "level=DEBUG")
	file.write(t, "")
	p.hangup(t, "read again")
	if got := status("https://evil.example"); got != 200 {
		t.Errorf("without a list again: %d", got)
	}
}

// A limit on rooms changes in a running node.
func TestReloadRoomsPerSocket(t *testing.T) {
	file := newConfigFile(t, both+"limits: {rooms_per_socket: 2}\n")
	p := startProcess(t, nil, "--config", string(file))
	c := p.dial(t)
	if got := c.ask(t, `["join",["a","b","c"]]`); got != `[{"error":"more than 2 rooms"}]` {
		t.Error(got)
	}
	file.write(t, both+"limits: {rooms_per_socket: 3}\n")
	p.hangup(t, "changed=[limits.rooms_per_socket]")
	for i, want := range []string{`[{"status":"ok"}]`, `[{"error":"more than 3 rooms"}]`} {
		if got := c.ask(t, fmt.Sprintf(`["join",["a","b","c%d"]]`, i)); got != want {
			t.Error(got)
		}
	}
}

// Each namespace of a pattern counts its own sockets.
func TestCountOfPatternNamespaces(t *testing.T) {
	n := startNode(t, "--config", string(newConfigFile(t, both)))
	a, b := n.dial(t), n.dial(t)
	for _, step := range []struct {
		c     *client
		name  string
		count int
	}{{a, "/room-1", 1}, {b, "/room-1", 2}, {b, "/room-2", 1}} {
		if got := step.c.join(t, step.name); !strings.HasPrefix(got, "40"+step.name) {
			t.Fatal(got)
		}
		step.c.expectPacket(t, fmt.Sprintf(`42%s,["count",%d]`, step.name, step.count))
	}
	a.expectPacket(t, `42/room-1,["count",2]`)
	b.send(t, "41/room-1,")
	a.expectPacket(t, `42/room-1,["count",1]`)
}

// A namespace without presence tells no counts, and one without publish and join allows neither.
func TestClosedRule(t *testing.T) {
	n := startNode(t, "--config", string(newConfigFile(t, both+"  - {name: /quiet}\n")))
	c := n.dial(t)
	if got := c.join(t, "/quiet"); !strings.HasPrefix(got, "40/quiet,") {
		t.Fatal(got)
	}
	for i, event := range []string{`["join","a"]`, `["publish",{"event":"e","room":"a"}]`, `["publish",{"event":"e","all":true}]`} {
		c.send(t, fmt.Sprintf("42/quiet,%d%s", i, event))
		if got, want := c.nextButCount(t), fmt.Sprintf(`43/quiet,%d[{"error":"not allowed"}]`, i); got != want {
			t.Errorf("%s: %s", event, got)
		}
	}
	c.send(t, `42/quiet,9["leave","a"]`)
	if got := c.nextButCount(t); got != `43/quiet,9[{"status":"ok"}]` {
		t.Error(got)
	}
}

// Refused events leave a line at debug level, with the reason.
func TestRefusedEventsAreLogged(t *testing.T) {
	p := startProcess(t, nil, "--log-level", "debug")
	c := p.dial(t)
	c.ask(t, `["publish",{"event":"e"}]`)
	if line := p.until(t, "event refused"); !strings.Contains(line, "event=publish") || !strings.Contains(line, "the room is missing") {
		t.Error(line)
	}
}
