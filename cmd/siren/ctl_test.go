package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/cmd/siren/node/api"
	"github.com/seed58c87869/siren/server"
)

const operatorsKey = "a key of operators"

// operated is a server with an operators' listener.
type operated struct {
	t   *testing.T
	srv *server.Server
	url string
}

func startOperated(t *testing.T, address string) *operated {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	srv, err := server.New(server.Config{Loops: 1, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	srv.Of("/").Use(func(_ context.Context, s *server.Socket) error { s.SetUser("ann"); return nil })
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	calls, err := api.New(api.Config{
		Server: srv, Node: "test", Version: "1.2.3", Logger: quiet, MaxEvent: 1000,
		Drain: func(timeout, spread *time.Duration) (api.Drained, error) {
			d := api.Drained{Sessions: 1, Timeout: 30 * time.Second, Spread: 10 * time.Second}
			if timeout != nil {
				d.Timeout = *timeout
			}
			if spread != nil {
				d.Spread = *spread
			}
			return d, nil
		},
		Reload: func(context.Context) (api.Reloaded, error) {
			return api.Reloaded{Changed: []string{"admin.api_keys"}, Restart: []string{"listen", "path"}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ops, err := admin.New(admin.Config{Address: address, Keys: []string{operatorsKey}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ops.Handle(calls.Routes()...)
	if err := ops.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := ops.Close(ctx); err != nil {
			t.Error(err)
		}
		calls.Close()
		_ = srv.Close()
	})
	o := &operated{t: t, srv: srv, url: "http://" + ops.Addr().String()}
	if strings.HasPrefix(address, "unix://") {
		o.url = address
	}
	return o
}

type readWriter struct {
	io.Reader
	io.Writer
}

// connect connects a client and returns what it is sent.
func (o *operated) connect() (id string, next func() string) {
	o.t.Helper()
	conn, ahead, _, err := ws.Dial(o.t.Context(), "ws://"+o.srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = conn.Close() })
	in := readWriter{conn, conn}
	if ahead != nil { // packets that came with the handshake
		in.Reader = ahead
	}
	next = func() string {
		o.t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(15 * time.Second))
		text, _, err := wsutil.ReadServerData(in)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	next()
	_ = wsutil.WriteClientText(conn, []byte("40"))
	return strings.TrimSuffix(strings.TrimPrefix(next(), `40{"sid":"`), `"}`), next
}

// run runs a command against the node.
func (o *operated) run(args ...string) (code int, out, errors string) {
	return command(o.t, append(args, "--url", o.url, "--api-key", operatorsKey)...)
}

// want runs a command that has to succeed with an output.
func (o *operated) want(pattern string, args ...string) string {
	o.t.Helper()
	code, out, errors := o.run(args...)
	if code != 0 || errors != "" || !regexp.MustCompile("(?s)^"+pattern+"$").MatchString(out) {
		o.t.Errorf("%q: exit %d, %q, %q; want %q", args, code, out, errors, pattern)
	}
	return out
}

// fails runs a command that has to fail with one line.
func (o *operated) fails(line string, args ...string) {
	o.t.Helper()
	code, out, errors := o.run(args...)
	if code != 1 || out != "" || !strings.Contains(errors, line) || strings.Count(errors, "\n") != 1 {
		o.t.Errorf("%q: exit %d, %q, %q; want %q", args, code, out, errors, line)
	}
}

func TestEmitCommand(t *testing.T) {
	o := startOperated(t, "127.0.0.1:0")
	id, next := o.connect()
	o.want("to 1 sockets\n", "emit", "--room", id, "hello", `{"a":1.50}`, `"x"`)
	if m := next(); m != `42["hello",{"a":1.50},"x"]` {
		t.Error(m)
	}
	o.want(`\{"count":1,"exact":false\}`+"\n", "emit", "--user", "ann", "--json", "--volatile", "--local", "hi")
	if m := next(); m != `42["hi"]` {
		t.Error(m)
	}
	o.want("to at most 1 sockets\n", "emit", "all")
	if m := next(); m != `42["all"]` {
		t.Error(m)
	}
	o.want("to at most 1 sockets\n", "emit", "--except", id, "none")
	o.want("to 0 sockets\n", "emit", "--room", "nowhere", "none")
	o.fails("argument 2 is not JSON: hello", "emit", "e", "1", "hello")
	o.fails("namespace: there is no such namespace (unknown_namespace)", "emit", "-n", "/no", "e")
	o.fails("event: the name is one of Socket.IO's own (reserved_event)", "emit", "connect")
	if code, _, errors := command(t, "emit", "--url", o.url, "e"); code != 1 || !strings.Contains(errors, "--api-key or SIREN_API_KEY") {
		t.Error(code, errors)
	}
	t.Setenv("SIREN_API_KEY", operatorsKey)
	if code, out, errors := command(t, "emit", "--url", o.url, "--room", "nowhere", "e"); code != 0 || out != "to 0 sockets\n" {
		t.Error(code, out, errors)
	}
	for url, line := range map[string]string{
		"http://127.0.0.1:1": "cannot reach the node at http://127.0.0.1:1", "ftp://x": "no address of a node", "unix://": "has no path",
		"http://" + o.srv.Addr().String(): "is this its operators' listener?",
	} {
		if code, _, errors := command(t, "emit", "--url", url, "e"); code != 1 || !strings.Contains(errors, line) || strings.Count(errors, "\n") != 1 {
			t.Errorf("%s: %d %s", url, code, errors)
		}
	}
}

// stdin has the commands read a text.
func stdin(t *testing.T, text string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdin
	os.Stdin = r
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.WriteString(w, text); _ = w.Close() }()
	t.Cleanup(func() { os.Stdin = was; _ = r.Close(); <-done })
}

func TestEmitLines(t *testing.T) {
	o := startOperated(t, "127.0.0.1:0")
	_, next := o.connect()
	var text strings.Builder
	const n = 2500
	for i := range n {
		fmt.Fprintf(&text, "{\"event\":\"n\",\"args\":[%d]}\n", i)
		if i%100 == 0 {
			text.WriteString(" \n")
		}
	}
	stdin(t, text.String())
	o.want(`\{"lines":2500,"count":2500\}`+"\n", "emit", "--json")
	for i := range n {
		if m := next(); m != fmt.Sprintf(`42["n",%d]`, i) {
			t.Fatal(m)
		}
	}
	good := `{"event":"before"}` + "\n\n"
	for _, test := range []struct{ bad, line string }{
		{`{"event":7}`, "line 3: bad_field: event: it has to be a string and is a number"},
		{`garbage`, "line 3: bad_json: "},
		{`{"event":"e","what":1}`, "line 3: bad_field: what: there is no such field"},
		{`{"event":"e","args":[{"$binary":"?"}]}`, "line 3: bad_field: args[0].$binary: "},
		{`{"event":"e"},{"event":"e"}`, "line 3: bad_json: "},
		{`{"event":"e","namespace":"/no"}`, "line 3: emits[1].namespace: there is no such namespace (unknown_namespace)"},
		{`{"event":"e","args":["` + strings.Repeat("x", 2000) + `"]}`, "line 3: the event is larger than 1000 bytes"},
		{strings.Repeat("x", 4<<20), "line 3: bufio.Scanner: token too long"},
	} {
		stdin(t, good+test.bad+"\n")
		o.fails(test.line, "emit")
		if m := next(); m != `42["before"]` {
			t.Error(m)
		}
	}
	stdin(t, "")
	o.want("0 events, to 0 sockets\n", "emit")
}

func TestCtlCommands(t *testing.T) {
	o := startOperated(t, "127.0.0.1:0")
	id, next := o.connect()
	for i := range 3 {
		if err := o.srv.Of("/").Socket(id).Join(fmt.Sprint("room ", i, "\x1b")); err != nil {
			t.Fatal(err)
		}
	}
	out := o.want(`siren 1\.2\.3 \(go.*\) on test serves for .* with \d+ MiB\n.*websocket +1\n.*NAMESPACE +SOCKETS +ROOMS\n/ +1 +3\n.*sent packets.*LOOP.*LARGEST.*`, "ctl", "stats")
	if strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
	var stats map[string]any
	if err := json.Unmarshal([]byte(o.want(`\{.*\}\n`, "ctl", "stats", "--json")), &stats); err != nil || stats["version"] != "1.2.3" {
		t.Error(stats, err)
	}
	o.want("ROOM +SOCKETS\nroom 0\uFFFD +1\nroom 1\uFFFD +1\nroom 2\uFFFD +1\n", "ctl", "rooms")
	o.want("ROOM +SOCKETS\nroom 1\uFFFD +1\n", "ctl", "rooms", "--prefix", "room 1")
	o.want(`\{"rooms":\[\{"name":"room \d\\u001b","sockets":1\}\]\}`+"\n", "ctl", "rooms", "--limit", "1", "--json")
	o.want("SOCKET.*\n"+id+" +ann +127.0.0.1 +websocket +20.*room 0\uFFFD room 1\uFFFD room 2\uFFFD\n", "ctl", "sockets", "--room", id)
	o.want(`\{"sockets":\[\{"id":"`+id+`",.*\}\]\}`+"\n", "ctl", "sockets", "--json")
	o.want("SOCKET.*ROOMS\n", "ctl", "sockets", "--room", "nowhere")
	o.want("changed: admin.api_keys\nneeds a restart: listen, path\n", "ctl", "reload")
	o.want("draining: 1 sessions end over 10s, within 30s\n", "ctl", "drain")
	o.want("draining: 1 sessions end over 0s, within 1m0s\n", "ctl", "drain", "--timeout", "1m", "--spread", "0s")
	o.want(`\{"draining":true,.*\}\n`, "ctl", "drain", "--json")
	o.fails("timeout_ms: it has to be a whole number", "ctl", "drain", "--timeout", "0s")
	o.fails("say who: --room, --user, or --all", "ctl", "disconnect")
	o.want("0 sockets disconnected\n", "ctl", "disconnect", "--room", "nowhere")
	o.want(`\{"count":1\}`+"\n", "ctl", "disconnect", "--all", "--json")
	if m := next(); m != "41" {
		t.Error(m)
	}
	o.fails("prefix: it has to have 0 to 128 bytes", "ctl", "rooms", "--prefix", strings.Repeat("x", 200))
}

// More than a page is listed as a whole, and --limit bounds it.
func TestCtlPages(t *testing.T) {
	path := "unix://" + filepath.Join(t.TempDir(), "ops.sock")
	o := startOperated(t, path)
	id, _ := o.connect()
	for i := range 2100 {
		if err := o.srv.Of("/").Socket(id).Join(fmt.Sprintf("r%05d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[string]int{"0": 2100, "5": 5, "1000": 1000, "1500": 1500, "9999": 2100} {
		code, out, errors := o.run("ctl", "rooms", "--limit", limit)
		if code != 0 || strings.Count(out, "\n") != want+1 {
			t.Errorf("limit %s: exit %d, %d lines, %s", limit, code, strings.Count(out, "\n"), errors)
		}
	}
}

// --config says where the node listens.
func TestTargetFromConfig(t *testing.T) {
	o := startOperated(t, "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "siren.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("admin: {listen: \"" + strings.TrimPrefix(o.url, "http://") + "\"}\n")
	code, out, errors := command(t, "emit", "--config", file, "--api-key", operatorsKey, "--room", "nowhere", "e")
	if code != 0 || out != "to 0 sockets\n" {
		t.Error(code, out, errors)
	}
	write("admin: {listen: \"\"}\n")
	if code, _, errors := command(t, "emit", "--config", file, "e"); code != 1 || !strings.Contains(errors, "no operators' listener") {
		t.Error(code, errors)
	}
	if code, _, errors := command(t, "ctl", "stats", "--config", file+"x"); code != 1 || errors == "" {
		t.Error(code, errors)
	}
}
