package profile

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/client"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")) // gnet keeps its pool a while
}

// read reads a profile for a server, in a directory with data.
func read(t *testing.T, url, text string) *Profile {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte("token,room\nt1,a\nt2,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Read(filepath.Join(dir, "p.yaml"), []byte("target: "+url+"\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// six are stages that execute ends early.
const six = "drain: 20s\nstages: [{users: 6, ramp: 100ms, hold: 1h}]\n"

// hasty are the same for runs in which something never comes.
const hasty = "drain: 2s\nstages: [{users: 6, ramp: 100ms, hold: 1h}]\n"

// execute runs a profile until six users have come and enough was sent and received.
func execute(t *testing.T, p *Profile) (*bench.Result, error) {
	return runUntil(t.Context(), p, Options{}, func(r *run) bool {
		r.mu.Lock()
		sessions, failed, lost := r.sessions, r.publishFailed, r.lostSessions
		r.mu.Unlock()
		var malformed uint64
		for _, s := range r.shards {
			s.mu.Lock()
			malformed += s.malformed
			s.mu.Unlock()
		}
		sent := p.Publish == nil || lost > 0 || r.published.Load()+int64(failed) >= 30
		came := p.Expect == nil || lost > 0 || malformed > 0 || r.delivered() >= 30
		return sessions >= 6 && sent && came
	})
}

func show(r *bench.Result) string {
	var text strings.Builder
	_ = r.WriteTable(&text)
	return text.String()
}

func value(r *bench.Result, name string) float64 {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	return -1
}

// What a correct server does is counted without a fault, whatever the way.
func TestRunOfACorrectServer(t *testing.T) {
	for name, text := range map[string]string{
		"to everyone":   "publish: {emit: say, args: ['{{mark}}'], ack: true, rate: 200}\nexpect: {event: message}\n",
		"decorated":     "publish: {emit: say, args: [{text: 'user {{user}} says {{mark}}'}], rate: 200}\nexpect: {event: message}\n",
		"to others":     "publish: {emit: tell, args: ['{{mark}}'], rate: 200}\nexpect: {event: message, to: others}\n",
		"to the sender": "publish: {emit: think, args: ['{{mark}}'], rate: 200}\nexpect: {event: message, to: sender}\n",
		"ping and pong": "publish: {emit: think, args: [hello], rate: 200}\nexpect: {event: message, to: sender}\nthresholds: [p50 < 1m]\n",
		"by number":     "publish: {emit: say, args: [{n: '{{sequence}}'}], rate: 200}\nexpect: {event: message, sequence: 0.n}\n",
		"by count":      "publish: {emit: say, args: [hello], rate: 200, users: 1}\nexpect: {event: message}\n",
		"answers alone": "publish: {emit: say, args: [hello], ack: true, rate: 200}\n",
		"sent by itself": "join: {emit: stream, wait_for: tick}\nexpect: {event: tick, sequence: 0.n, time: 0.at}\n" +
			"thresholds: [p50 < 1m, delivered > 10]\n",
		"by HTTP": "publish: {http: {url: URL/say, headers: {Authorization: Bearer secret}, body: {text: '{{mark}}'}}, rate: 100}\n" +
			"expect: {event: message}\n",
		"polling": "publish: {emit: say, args: ['{{mark}}'], ack: true, rate: 50}\nexpect: {event: message}\n" +
			"connect: {namespace: /chat, transports: [polling]}\n",
		"upgrade": "publish: {emit: say, args: ['{{mark}}'], ack: true, rate: 100}\nexpect: {event: message}\n" +
			"connect: {namespace: /chat, transports: [polling, websocket]}\n",
		"join with an event":  "join: {emit: enter, args: [r], wait_for: entered}\n",
		"join with an answer": "join: {emit: checked, args: [r], ack: true, ack_error: 0.error}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := startChat(t, false)
			if !strings.Contains(text, "connect:") {
				text += "connect: {namespace: /chat}\n"
			}
			r, err := execute(t, read(t, c.url, strings.Replace(text, "URL", c.url, 1)+six))
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK || value(r, "users") < 6 {
				t.Errorf("not ok:\n%s", show(r))
			}
			if strings.Contains(text, "publish:") && value(r, "published") < 10 {
				t.Errorf("few publications:\n%s", show(r))
			}
			if strings.Contains(text, "expect:") && value(r, "delivered") < 10 {
				t.Errorf("few deliveries:\n%s", show(r))
			}
		})
	}
}

// Users that leave wait for what was published before, and for their own answers.
func TestUsersComeAndGo(t *testing.T) {
	c, _ := startChat(t, false)
	text := "connect: {namespace: /chat}\npublish: {emit: say, args: ['{{mark}}'], ack: true, rate: 200}\nexpect: {event: message}\ndrain: 20s\n" +
		"stages: [{users: 6, ramp: 100ms, hold: 300ms}, {users: 1, ramp: 300ms}, {users: 4, ramp: 100ms, hold: 100ms}]\n"
	if r, err := Run(t.Context(), read(t, c.url, text), Options{}); err != nil || !r.OK {
		t.Errorf("%v\n%s", err, show(r))
	}
}

// Each fault of a server is counted as what it is, fails the run, and is allowed by a threshold of its own.
func TestRunOfAFaultyServer(t *testing.T) {
	for name, tt := range map[string]struct{ text, figure, why string }{
		"missing":    {"publish: {emit: mumble, args: ['{{mark}}'], rate: 200}\nexpect: {event: message}\n", "missing", ""},
		"by count":   {"publish: {emit: mumble, args: [x], rate: 200}\nexpect: {event: message}\n", "missing", ""},
		"twice":      {"publish: {emit: stutter, args: ['{{mark}}'], rate: 200}\nexpect: {event: message}\n", "duplicated", ""},
		"malformed":  {"publish: {emit: say, args: [{m: '{{sequence}}'}], rate: 200}\nexpect: {event: message, sequence: 0.n}\n", "malformed", "correct expect.event"},
		"refused":    {"publish: {emit: refuse, ack: true, ack_error: 0.error, rate: 100}\n", "publish failed", "not allowed"},
		"unanswered": {"publish: {emit: silence, ack: true, rate: 100}\n", "unanswered", ""},
		"lost":       {"publish: {emit: leave, rate: 20}\n", "lost", "see the server's log"},
		"status": {"publish: {http: {url: URL/say, body: x}, rate: 50}\n", "publish failed",
			"status 401 Unauthorized: no key; check headers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := startChat(t, false)
			text := strings.Replace(tt.text, "URL", c.url, 1) + "connect: {namespace: /chat}\n" + hasty
			r, err := execute(t, read(t, c.url, text))
			if err != nil {
				t.Fatal(err)
			}
			if r.OK || value(r, tt.figure) < 1 || !strings.Contains(show(r), tt.why) {
				t.Errorf("%s is %v:\n%s", tt.figure, value(r, tt.figure), show(r))
			}
			for _, other := range faults {
				other = strings.ReplaceAll(other, "_", " ")
				if other != tt.figure && value(r, other) != 0 && tt.figure != "malformed" {
					t.Errorf("%s is %v:\n%s", other, value(r, other), show(r))
				}
			}
		})
	}
	c, _ := startChat(t, false)
	text := "publish: {emit: mumble, args: ['{{mark}}'], rate: 200}\nexpect: {event: message}\nconnect: {namespace: /chat}\n" +
		"thresholds: [missing > 0]\n" + hasty
	if r, err := execute(t, read(t, c.url, text)); err != nil || !r.OK {
		t.Errorf("%v:\n%s", err, show(r))
	}
}

// A message that overtakes an earlier one of its sender is reordered; those of several senders may cross.
func TestOrderIsThatOfEachSender(t *testing.T) {
	r := newRun(read(t, "http://127.0.0.1:1", "publish: {emit: a, args: ['{{mark}}']}\nexpect: {event: b}\n"+six), Options{})
	r.begun = time.Now()
	u := newUser(r, 0)
	u.state, u.begun = ready, true
	for _, sender := range []int{1, 2, 1, 2} {
		r.book.add(sender, 0)
	}
	come := func(n int) {
		v := values{tag: r.tag, sequence: n}
		u.event(&client.Event{Name: []byte("b"), Args: append(appendMark([]byte(`"`), &v), '"'), At: time.Now()})
	}
	for _, n := range []int{1, 0} {
		come(n) // of two senders
	}
	if u.shard.reordered != 0 {
		t.Fatal("messages of two senders have no order")
	}
	for _, n := range []int{3, 2, 2} {
		come(n)
	}
	if u.shard.reordered != 0 || u.shard.duplicate != 1 || u.shard.delivered != 4 {
		t.Fatalf("%d reordered, %d duplicated, %d delivered", u.shard.reordered, u.shard.duplicate, u.shard.delivered)
	}
	r.book.add(1, 0)
	r.book.add(1, 0)
	come(5)
	come(4)
	if u.shard.reordered != 1 {
		t.Errorf("%d reordered", u.shard.reordered)
	}
}

// The first user's failure ends the run at once; it says what was expected, what came, and what to do.
func TestFirstUserFails(t *testing.T) {
	c, web := startChat(t, false)
	_, secure := startChat(t, true)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	t.Cleanup(page.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, tt := range map[string]struct {
		url, text string
		want      []string
	}{
		"nobody listens":   {gone.URL, "", []string{"expected a WebSocket", "got connection refused", "start the server"}},
		"no such path":     {c.url, "connect: {path: /nowhere/}", []string{"404 Not Found", "check the path", "/nowhere/"}},
		"a web page":       {page.URL, "", []string{"200 OK: <html>", "check the path"}},
		"a page, polling":  {page.URL, "connect: {transports: [polling]}", []string{"the Engine.IO handshake", "<html>", "check the path"}},
		"no namespace":     {c.url, "connect: {namespace: /none}", []string{"the namespace /none", "Invalid namespace", "connect.namespace"}},
		"wrong token":      {c.url, "connect: {namespace: /guarded, auth: {token: x}}", []string{"invalid token", "check connect.auth"}},
		"no answer":        {silent.URL, "connect: {timeout: 200ms}", []string{"nothing within 200ms", "allow more time"}},
		"no answer, polls": {silent.URL, "connect: {timeout: 200ms, transports: [polling]}", []string{"nothing within 200ms"}},
		"join unanswered": {c.url, "connect: {namespace: /chat, timeout: 3s}\njoin: {emit: silence, ack: true}",
			[]string{`the acknowledgement of "silence"`, "nothing within 3s", "join.ack: false"}},
		"join without event": {c.url, "connect: {namespace: /chat, timeout: 3s}\njoin: {emit: enter, args: [x], wait_for: never}",
			[]string{`the event "never"`, "nothing within 3s", "join.wait_for"}},
		"join refused": {c.url, "connect: {namespace: /chat}\njoin: {emit: checked, args: [closed], ack: true, ack_error: 0.error}",
			[]string{"the room is closed", "correct the arguments"}},
		"unknown authority":   {secure.URL, "", []string{"a certificate of an unknown authority", "tls.insecure: true"}},
		"unknown, polling":    {secure.URL, "connect: {transports: [polling]}", []string{"a certificate of an unknown authority"}},
		"another name":        {secure.URL, "connect: {tls: {ca_file: CA, server_name: other.example.org}}", []string{"another name", "tls.server_name"}},
		"no TLS there":        {strings.Replace(web.URL, "http:", "https:", 1), "", []string{"an answer that is not TLS", "use http://"}},
		"no TLS there, polls": {strings.Replace(web.URL, "http:", "https:", 1), "connect: {transports: [polling]}", []string{"use http://"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(tt.text, "CA", authority(t, secure), 1)
			r, err := Run(t.Context(), read(t, tt.url, text+"\n"+six), Options{})
			if err == nil {
				t.Fatalf("no error:\n%s", show(r))
			}
			for _, want := range append(tt.want, "the first user did not get in: expected ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwithout %q", err, want)
				}
			}
			var f *client.Fault
			if !errors.As(err, &f) || f.Expected == "" || f.Got == "" || f.Next == "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// authority writes the certificate of a server to a file.
func authority(t *testing.T, web *httptest.Server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRunOverTLS(t *testing.T) {
	c, web := startChat(t, true)
	for _, transports := range []string{"[websocket]", "[polling]", "[polling, websocket]"} {
		for _, how := range []string{"ca_file: " + authority(t, web), "insecure: true"} {
			text := "connect: {namespace: /chat, transports: " + transports + ", tls: {" + how + "}}\n" +
				"publish: {emit: say, args: ['{{mark}}'], ack: true, rate: 50}\nexpect: {event: message}\n" + six
			if r, err := execute(t, read(t, c.url, text)); err != nil || !r.OK || value(r, "delivered") < 5 {
				t.Errorf("%s, %s: %v\n%s", transports, how, err, show(r))
			}
		}
	}
}

// Every user has its own row of the data.
func TestRunWithData(t *testing.T) {
	c, _ := startChat(t, false)
	text := "connect: {namespace: /guarded, data: users.csv, auth: {token: '{{token}}'}, query: {room: '{{room}}'}, headers: {X-User: '{{user}}'}}\n" + six
	r, err := execute(t, read(t, c.url, text))
	if err != nil || !r.OK || c.tokens.Load() < 7 { // six users, and the first one twice
		t.Errorf("%v, %d tokens:\n%s", err, c.tokens.Load(), show(r))
	}
}

// A run that is interrupted has its figures so far, is marked, and blames nobody for what was on its way.
func TestInterruptedRunIsPartial(t *testing.T) {
	c, _ := startChat(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	text := "connect: {namespace: /chat}\npublish: {emit: say, args: ['{{mark}}'], ack: true, rate: 200}\nexpect: {event: message}\n" +
		"stages: [{users: 5, ramp: 50ms, hold: 1h}]\n"
	r, err := Run(ctx, read(t, c.url, text), Options{Progress: func(p bench.Progress) {
		if p.Count > 100 {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r.OK || r.Partial != "interrupted" || value(r, "missing") != 0 || value(r, "delivered") < 100 || value(r, "lost") != 0 {
		t.Errorf("%s", show(r))
	}
	if !strings.Contains(show(r), "PARTIAL") {
		t.Errorf("%s", show(r))
	}
}

// The progress tells stage, time, users and counts.
func TestRunTellsItsProgress(t *testing.T) {
	c, _ := startChat(t, false)
	var last bench.Progress
	stages := map[string]bool{}
	text := "connect: {namespace: /chat}\npublish: {emit: say, args: ['{{mark}}'], rate: 200}\nexpect: {event: message}\n" +
		"drain: 20s\nstages: [{users: 2, ramp: 50ms}, {hold: 1h}]\n"
	if _, err := runUntil(t.Context(), read(t, c.url, text), Options{Progress: func(p bench.Progress) {
		stages[p.Phase] = true
		if p.Done < 0 || p.Done > p.Total || !p.Timed || p.Unit != "delivered" || !strings.HasSuffix(p.Detail, "users") {
			t.Errorf("%+v", p)
		}
		last = p
	}}, func(*run) bool { return stages["stage 2 of 2"] && last.Count > 0 }); err != nil {
		t.Fatal(err)
	}
	if !stages["stage 2 of 2"] || last.Count == 0 {
		t.Errorf("%v, %+v", stages, last)
	}
}

// A generator that has no time says so, and gives no rate of the server.
func TestBottleneckIsTold(t *testing.T) {
	p := read(t, "http://127.0.0.1:1", "publish: {emit: a, args: ['{{mark}}']}\nexpect: {event: b}\n"+six)
	for _, tt := range []struct {
		cpu   float64
		lag   time.Duration
		late  time.Duration
		bound bool
	}{
		{0.2, time.Millisecond, 5 * time.Millisecond, false},
		{0.95, time.Millisecond, 5 * time.Millisecond, true},
		{0.2, 20 * time.Millisecond, 30 * time.Millisecond, true},
		{0.2, 20 * time.Millisecond, 300 * time.Millisecond, false}, // the server's latency is far longer
	} {
		r := newRun(p, Options{})
		r.lag.add(tt.lag)
		r.shards[0].delivery.add(tt.late)
		result := bench.NewResult(r.scenario(), true)
		length := time.Second
		used := time.Duration(tt.cpu * float64(result.Machine.GOMAXPROCS) * float64(length))
		r.report(result, reading{after: bench.Usage{Client: used}, length: length})
		text := show(result)
		if strings.Contains(text, "THE CLIENT IS THE BOTTLENECK") != tt.bound || (value(result, "deliveries per second") < 0) != tt.bound {
			t.Errorf("%+v:\n%s", tt, text)
		}
	}
}
