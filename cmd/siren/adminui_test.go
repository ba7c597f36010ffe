package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// adminUIKeys are the keys of a configuration that turn the Admin UI on, for the user admin with the password changeit.
func adminUIKeys(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("changeit"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return "admin_ui: {enabled: true, username: admin, password_bcrypt: " + string(hash) + "}\n"
}

// The Admin UI's namespace is there when the configuration says so, whatever the rules say, and what it was not told is
// counted.
func TestAdminUI(t *testing.T) {
	const rules = "namespaces: [{name: /}, {pattern: ^/.*$}]\nauth: {required: true, jwt: {hmac_secrets: [secret-of-the-tests]}}\n"
	file := newConfigFile(t, rules+"node: one\n"+adminUIKeys(t))
	n := startNode(t, "--config", string(file), "--admin-listen", "127.0.0.1:0")
	c := n.open(t)
	if got := c.connect(t, "/admin", `{"username":"admin","password":"nope"}`); got != `44/admin,{"message":"invalid credentials"}` {
		t.Error(got)
	}
	if got := c.connect(t, "/admin", `{"username":"admin","password":"changeit"}`); !strings.HasPrefix(got, `40/admin,{"sid":`) {
		t.Fatal(got)
	}
	for _, want := range []string{
		`42/admin,["session","`, `42/admin,["config",{"supportedFeatures":["EMIT","JOIN",`, `42/admin,["server_stats",{"serverId":"one",`,
	} {
		if got := c.next(t); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	_, answer := get(t, n.operators(t)+"/api/stats")
	var stats struct{ Dropped map[string]int }
	if err := json.Unmarshal([]byte(answer), &stats); err != nil {
		t.Fatal(err)
	}
	if _, ok := stats.Dropped["admin_ui"]; !ok {
		t.Error(stats.Dropped)
	}

	off := startNode(t, "--config", string(newConfigFile(t, "namespaces: [{name: /}]\n")))
	if got := off.open(t).connect(t, "/admin", ""); !strings.Contains(got, "Invalid namespace") {
		t.Error(got)
	}
}

// Admin UIs that have gone away without a word lose nothing that matters: on both transports the drain ends as if they had
// got their numbers, and what they did not take counts as their own drops.
func TestDrainWithoutAdminUI(t *testing.T) {
	const signIn = `40/admin,{"username":"admin","password":"changeit"}`
	netns.Run(t, smallBuffers, func(t *testing.T) {
		file := newConfigFile(t, "namespaces: [{name: /}, {pattern: ^/.*$}]\n"+adminUIKeys(t))
		p, url := startWithAPI(t, "--config", string(file))
		polling, err := sessiontest.JoinPolling(connect(t, p.addr), nil, "/socket.io/")
		if err == nil {
			err = polling.Post(signIn)
		}
		if err != nil {
			t.Fatal(err)
		}
		w, err := sessiontest.JoinWebSocket(connect(t, p.addr), "/socket.io/")
		if err == nil {
			err = w.Send(signIn)
		}
		for m := (sessiontest.Message{}); err == nil && !strings.HasPrefix(m.Text, `42/admin,["server_stats"`); {
			m, err = w.Next()
		}
		if err != nil {
			t.Fatal(err)
		}
		const full = `siren_dropped_total{reason="queue_full"}`
		blob := fmt.Sprintf(`{"namespace":"/admin","event":"blob","args":[%q]}`, strings.Repeat("x", 900_000))
		for range 10 {
			if status, body := post(t, url+"/api/emit", "", blob); status != 200 {
				t.Fatal(status, body)
			}
		}
		if n, own := metric(t, p.admin, full), metric(t, p.admin, `siren_dropped_total{reason="admin_ui"}`); n != 0 || own == 0 {
			t.Errorf("%v drops count as those of users, and %v as its own", n, own)
		}
		p.signal(t, syscall.SIGTERM)
		p.wantStopped(t, nothingLost...)
		p.wantExit(t)
	})
}

// A reload turns the Admin UI on, changes its password, and turns it off: each time people who are there have to go.
func TestReloadAdminUI(t *testing.T) {
	const rules = "namespaces: [{name: /}]\n"
	const invalid, signedIn, wrong = `44/admin,{"message":"Invalid namespace"}`, `40/admin,{"sid":`, `44/admin,{"message":"invalid credentials"}`
	on := adminUIKeys(t)
	other, err := bcrypt.GenerateFromPassword([]byte("another"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := newConfigFile(t, rules)
	p, _ := startWithAPI(t, "--config", string(file))
	if got := p.open(t).connect(t, "/admin", `{"username":"admin","password":"changeit"}`); got != invalid {
		t.Error(got)
	}
	var there *client
	for _, step := range []struct{ keys, line, changeit, another string }{
		{on, "admin_ui.enabled admin_ui.username", signedIn, wrong},
		{on + "cors: {origins: [\"https://app.example\"]}\n", "changed=[cors.origins]", signedIn, wrong},
		{`admin_ui: {enabled: true, username: admin, readonly: true, mode: development, password_bcrypt: ` + string(other) + "}\n",
			"admin_ui.readonly admin_ui.mode", wrong, signedIn},
		{"admin_ui: {enabled: false}\n", "admin_ui.enabled", invalid, invalid},
		{on, "admin_ui.enabled", signedIn, wrong},
	} {
		file.write(t, rules+step.keys)
		if line := p.hangup(t, "the configuration was read again"); !strings.Contains(line, step.line) {
			t.Errorf("no %s in %s", step.line, line)
		}
		if there != nil && strings.Contains(step.line, "admin_ui") {
			for there.next(t) != "41/admin," {
			}
			there = nil
		}
		for password, want := range map[string]string{"changeit": step.changeit, "another": step.another} {
			c := p.open(t)
			got := c.connect(t, "/admin", fmt.Sprintf(`{"username":"admin","password":%q}`, password))
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s with %s: %s, want %s", step.line, password, got, want)
			}
			if want == signedIn {
				there = c
			}
		}
	}
	file.write(t, rules+"admin_ui: {enabled: true, username: admin, password_bcrypt: nonsense}\n")
	p.hangup(t, "the configuration stays as it was")
	if got := p.open(t).connect(t, "/admin", `{"username":"admin","password":"changeit"}`); !strings.HasPrefix(got, signedIn) {
		t.Error(got)
	}
}
