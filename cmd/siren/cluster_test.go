package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/broker"
	"github.com/seed58c87869/siren/room/cluster/emitter"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// awaitReadyz waits until the operators' listener answers /readyz with 200 and that text.
func awaitReadyz(t *testing.T, operators, want string) {
	t.Helper()
	var code int
	var body string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if code, body = get(t, operators+"/readyz"); strings.TrimSpace(body) == want {
			break
		}
	}
	if code != 200 || strings.TrimSpace(body) != want {
		t.Fatalf("%d %s, want %s", code, body, want)
	}
}

// Two nodes with one broker: what is sent through one reaches the clients of both. Without the broker a node serves on,
// says so in /readyz, which stays 200, and comes back by itself; the log has one line for each change.
func TestNodesShareABroker(t *testing.T) {
	redis := redistest.Start(t)
	const key = "one-key-to-operate"
	a := startNode(t, "--broker", redis.URL(""), "--admin-listen", "127.0.0.1:0")
	b := startNode(t, "--broker", redis.URL(""))
	operators := a.operators(t)
	awaitReadyz(t, operators, `{"status":"ok"}`)
	for end := time.Now().Add(patience); redis.Subscribers("socket.io-request#/#") < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the nodes are not in the cluster")
		}
	}
	there, here := b.dial(t), a.dial(t)
	a.dial(t)
	for here.count != 2 { // what the other node's clients would get is on its way from then on
		here.count, _ = countOf(here.next(t))
	}
	if code, body := post(t, operators+"/api/emit", key, `{"event":"hello","args":[1]}`); code != 200 {
		t.Fatal(code, body)
	}
	for _, c := range []*client{here, there} {
		if got := c.nextButCount(t); got != `42["hello",1]` {
			t.Error(got)
		}
	}
	if there.count != 1 {
		t.Errorf("a node's clients were told of %d, which is the other node's count", there.count)
	}
	emitByBrokerTo(t, redis.URL(""), here, there)
	redis.Kill()
	awaitReadyz(t, operators, `{"status":"degraded","broker":"down"}`)
	redis.Restart()
	awaitReadyz(t, operators, `{"status":"ok"}`)
	logs := a.logs.String()
	for _, line := range []string{"broker is up", "broker is down", "connection to the broker was lost"} {
		if n := strings.Count(logs, line); n < 1 || n > 2 {
			t.Errorf("%q is there %d times:\n%s", line, n, logs)
		}
	}
	if a.end(t) != 0 || b.end(t) != 0 {
		t.Error("an exit code is not 0")
	}
}

// A broker that is not there does not keep a node from serving; a URL that is no broker's does.
func TestServeWithoutItsBroker(t *testing.T) {
	n := startNode(t, "--broker", "redis://user:secret@127.0.0.1:1")
	n.dial(t)
	for end := time.Now().Add(patience); !strings.Contains(n.logs.String(), "broker is down"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(n.logs)
		}
	}
	if n.end(t) != 0 || strings.Contains(n.logs.String(), "secret") {
		t.Error(n.logs)
	}
}

// emitByBrokerTo publishes with siren emit --broker and checks what clients get.
func emitByBrokerTo(t *testing.T, url string, clients ...*client) {
	t.Helper()
	for _, args := range [][]string{
		{"emit", "--broker", url, "cli", `{"a":1}`},
		{"emit", "--broker", url, "--room", "nobody", "other"},
		{"emit", "--broker", url, "--room", clients[0].id, "--room", clients[1].id, "--json", "both"},
	} {
		if code, out, errors := command(t, args...); code != 0 || !strings.Contains(out, "1") {
			t.Fatal(code, out, errors)
		}
	}
	for _, c := range clients {
		for _, want := range []string{`42["cli",{"a":1}]`, `42["both"]`} {
			if got := c.nextButCount(t); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
	for want, args := range map[string][]string{
		"need a node":                {"emit", "--broker", url, "--local", "e"},
		"is not JSON":                {"emit", "--broker", url, "e", "x"},
		"no broker has":              {"emit", "--broker", "kafka://127.0.0.1:1", "e"},
		"adapter \"x\" is not known": {"emit", "--broker", url + "?adapter=x", "e"},
	} {
		if code, out, errors := command(t, args...); code != 1 || !strings.Contains(errors, want) {
			t.Errorf("%q: %d %s %s", args, code, out, errors)
		}
	}
}

// Lines are published in order; the first one that is wrong is named.
func TestEmitLinesByBroker(t *testing.T) {
	redis := redistest.Start(t)
	a, err := broker.NewPublisher(redis.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	e := emitter.New(a)
	defer e.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	many := strings.Repeat(`{"event":"e","args":[1]}`+"\n", 2500)
	if n, err := emitBrokerLines(ctx, strings.NewReader(many+"\n"), e, a); n != 2500 || err != nil {
		t.Error(n, err)
	}
	for line, want := range map[string]string{
		`{"event":"e","users":["u"]}`: `line 2: json: unknown field "users"`,
		`{"args":[]}`:                 "line 2: event: is missing",
		`{"event":"e"} {}`:            "line 2: more than one object",
		`x`:                           "line 2: invalid character",
	} {
		if _, err := emitBrokerLines(ctx, strings.NewReader(`{"event":"e"}`+"\n"+line), e, a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := a.Flush(ctx); err != nil {
		t.Error(err)
	}
}

// Two processes with a broker between them: every message arrives, in order, and is counted.
func TestBenchCluster(t *testing.T) {
	redis := redistest.Start(t)
	t.Setenv(commandEnv, "1") // for the processes of the nodes
	code, out, errors := command(t, "bench", "cluster", "--broker", redis.URL(""), "--count", "500", "--clients", "2", "--repeat", "1", "--json")
	var all clusterOutcome
	if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil || !all.OK || len(all.Repeats) != 1 || len(all.Metrics) == 0 {
		t.Fatal(code, err, out, errors)
	}
	if r := all.Repeats[0]; r.Messages != 1000 || r.Lost+r.Disorder != 0 || r.Rate <= 0 || r.PublisherCPU <= 0 || r.ReceiverCPU <= 0 || r.LagMax <= 0 {
		t.Errorf("%+v", r)
	}
	node := os.Args[0] + " bench " + clusterNodeCommand + " --broker"
	code, out, _ = command(t, "bench", "cluster", "--broker", redis.URL(""), "--count", "10", "--rate", "1000", "--repeat", "1", "--node", node)
	if code != 0 || !strings.Contains(out, "LAG p50") {
		t.Error(code, out)
	}
	for want, args := range map[string][]string{
		"are needed":            {"bench", "cluster"},
		"a node does not start": {"bench", "cluster", "--broker", redis.URL(""), "--node", "false"},
	} {
		if code, _, errors := command(t, args...); code != 1 || !strings.Contains(errors, want) {
			t.Errorf("%q: %d %s", args, code, errors)
		}
	}
}

// A run with a lost message or one out of order says which repeat it was.
func TestClusterOutcome(t *testing.T) {
	for name, tt := range map[string]struct {
		repeats []clusterResult
		ok      bool
		reasons int
	}{
		"whole":        {[]clusterResult{{Messages: 5, Rate: 3}, {Messages: 5, Rate: 7}}, true, 0},
		"lost":         {[]clusterResult{{Messages: 5, Rate: 5}, {Lost: 1}}, false, 1},
		"out of order": {[]clusterResult{{Disorder: 1, Rate: 5}, {Rate: 5}}, false, 1},
	} {
		out := outcomeOf(tt.repeats)
		if out.OK != tt.ok || len(out.Reasons) != tt.reasons || len(out.Metrics) != 5 {
			t.Errorf("%s: %+v", name, out)
		}
		if m := out.Metrics[0]; tt.ok && (m.Value != 5 || len(m.Samples) != 2) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// Events that are not the bench's are not counted.
func TestTicks(t *testing.T) {
	for text, want := range map[string]bool{
		`42["tick",7,123,"x"]`: true, `42["tick",7]`: false, `42["tock",7,1,"x"]`: false, `42["tick","a",1,"x"]`: false, `2`: false,
	} {
		if n, sent, ok := tickOf([]byte(text)); ok != want || ok && (n != 7 || sent != 123) {
			t.Error(text, n, sent, ok)
		}
	}
}
