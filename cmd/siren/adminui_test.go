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
