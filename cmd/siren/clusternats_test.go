package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/room/cluster/nats/natstest"
)

// reaches waits until what one node is told to emit reaches the clients of all nodes, each by its id.
func reaches(t *testing.T, operators, key string, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		for end := time.Now().Add(patience); ; {
			if code, body := post(t, operators+"/api/emit", key, fmt.Sprintf(`{"event":"try","rooms":[%q]}`, c.id)); code != 200 {
				t.Fatal(code, body)
			}
			if c.tried() {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the nodes are not in one cluster")
			}
		}
	}
}

// tried reports whether an attempt has come, or comes soon.
func (c *client) tried() bool {
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		data, _, err := wsutil.ReadServerData(c.conn)
		if err != nil || string(data) == `42["try"]` {
			return err == nil
		}
	}
}

// nextReal returns the next event that is not an attempt.
func (c *client) nextReal(t *testing.T) string {
	t.Helper()
	for {
		if got := c.nextButCount(t); got != `42["try"]` {
			return got
		}
	}
}

// Two nodes share NATS: what is sent through one, or past both, reaches the clients of both; the state of the broker is
// in /readyz and in the metrics.
func TestNodesShareNATS(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	const key = "one-key-to-operate"
	a := startNode(t, "--broker", srv.URL(""), "--admin-listen", "127.0.0.1:0")
	b := startNode(t, "--broker", srv.URL(""))
	operators := a.operators(t)
	awaitReadyz(t, operators, `{"status":"ok"}`)
	there, here := b.dial(t), a.dial(t)
	reaches(t, operators, key, there, here)
	if code, out, errors := command(t, "emit", "--broker", srv.URL(""), "cli", "1"); code != 0 {
		t.Fatal(code, out, errors)
	}
	for _, c := range []*client{there, here} {
		if got := c.nextReal(t); got != `42["cli",1]` {
			t.Error(got)
		}
	}
	if _, body := get(t, operators+"/metrics"); !strings.Contains(body, `siren_cluster_state{state="up"} 1`) ||
		!strings.Contains(body, "siren_cluster_published_total") {
		t.Error(body)
	}
	srv.Kill()
	awaitReadyz(t, operators, `{"status":"degraded","broker":"down"}`)
	srv.Restart()
	awaitReadyz(t, operators, `{"status":"ok"}`)
	reaches(t, operators, key, there)
	if a.end(t) != 0 || b.end(t) != 0 {
		t.Error("an exit code is not 0")
	}
}

// Three nodes with the broker in them need no other program; two of them know only the third.
func TestNodesWithABrokerInThem(t *testing.T) {
	addrs := make([]string, 3)
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[i] = l.Addr().String()
		_ = l.Close()
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a shared secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const key = "one-key-to-operate"
	var nodes []*testNode
	var clients []*client
	for i, addr := range addrs {
		args := []string{"--broker", "embedded", "--broker-listen", addr, "--broker-secret-file", secret}
		if i > 0 {
			args = append(args, "--broker-route", addrs[0])
		} else {
			args = append(args, "--admin-listen", "127.0.0.1:0")
		}
		nodes = append(nodes, startNode(t, args...))
		clients = append(clients, nodes[i].dial(t))
	}
	reaches(t, nodes[0].operators(t), key, clients...)
	for _, n := range nodes {
		if n.end(t) != 0 {
			t.Error("an exit code is not 0", n.logs.String())
		}
	}
}

// What cannot be a broker is told, without its password.
func TestBrokersThatCannotBe(t *testing.T) {
	for want, args := range map[string][]string{
		"must be a URL":           {"--broker", "nats://user:hidden@"},
		"needs the address":       {"--broker", "embedded"},
		"needs broker.url":        {"--broker-listen", "127.0.0.1:6222"},
		"needs a secret":          {"--broker", "embedded", "--broker-listen", "127.0.0.1:6222"},
		"--broker-route":          {"--broker", "embedded", "--broker-route", "nowhere"},
		"broker of a node takes":  nil,
		"rooms \"some\" is not k": {"--broker", "nats://user:hidden@127.0.0.1?rooms=some"},
	} {
		args = append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)
		if len(args) == 3 {
			args = []string{"emit", "--broker", "embedded", "e"}
		}
		if code, _, errors := command(t, args...); code == 0 || !strings.Contains(errors, want) || strings.Contains(errors, "hidden") {
			t.Errorf("%q: %d %s", args, code, errors)
		}
	}
}

// The bench runs through NATS, and through a broker in the nodes.
func TestBenchClusterNATS(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	t.Setenv(commandEnv, "1") // for the processes of the nodes
	for _, url := range []string{srv.URL(""), "embedded"} {
		code, out, errors := command(t, "bench", "cluster", "--broker", url, "--count", "500", "--clients", "2", "--repeat", "1", "--json")
		var got clusterOutcome
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil || !got.OK || len(got.Repeats) != 1 {
			t.Fatal(url, code, err, out, errors)
		}
		if r := got.Repeats[0]; r.Messages != 1000 || r.Lost+r.Disorder != 0 || r.Rate <= 0 {
			t.Errorf("%s: %+v", url, r)
		}
	}
}
