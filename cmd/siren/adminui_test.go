package main

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// The Admin UI's namespace is there when the configuration says so, whatever the rules say, and what it was not told is
// counted.
func TestAdminUI(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("changeit"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const rules = "namespaces: [{name: /}, {pattern: ^/.*$}]\nauth: {required: true, jwt: {hmac_secrets: [secret-of-the-tests]}}\n"
	file := newConfigFile(t, rules+"node: one\nadmin_ui: {enabled: true, username: admin, password_bcrypt: "+string(hash)+"}\n")
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
