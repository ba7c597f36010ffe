package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

const tokens = "auth: {required: true, jwt: {hmac_secrets: [secret-of-the-tests]}}\n" + both

// sign runs siren token.
func sign(t *testing.T, file configFile, args ...string) string {
	t.Helper()
	code, out, errs := command(t, append([]string{"token", "--config", string(file)}, args...)...)
	if code != 0 {
		t.Fatalf("siren token: %s", errs)
	}
	return strings.TrimSpace(out)
}

// open connects without joining a namespace.
func (n *testNode) open(t *testing.T) *client {
	t.Helper()
	c, err := n.tryDial("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.conn.Close() })
	if got := c.next(t); !strings.HasPrefix(got, `0{"sid":`) {
		t.Fatalf("open packet: %s", got)
	}
	return c
}

// connect joins a namespace with an auth payload and returns the answer.
func (c *client) connect(t *testing.T, namespace, auth string) string {
	t.Helper()
	c.send(t, "40"+namespace+","+auth)
	return c.nextButCount(t)
}

// Tokens let clients in, and narrow what the rules allow. Secrets change with a reload.
func TestTokens(t *testing.T) {
	file := newConfigFile(t, tokens)
	n := startNode(t, "--config", string(file), "--admin-listen", "127.0.0.1:0")
	good := sign(t, file, "--sub", "ada", "--join", "a-*", "--publish", "a-1", "--room", "own", "--data", `{"n":1}`)
	c := n.open(t)
	for auth, want := range map[string]string{
		"":                  `44{"message":"token required","data":{"code":"token_required"}}`,
		`{"token":"x.y.z"}`: `44{"message":"token invalid","data":{"code":"token_invalid"}}`,
		`{"token":` + `"` + good[:len(good)-4] + `AAAA"}`: `44{"message":"token invalid","data":{"code":"token_invalid"}}`,
	} {
		if got := c.connect(t, "/", auth); got != want {
			t.Errorf("%s: %s", auth, got)
		}
	}
	if got := c.connect(t, "/", fmt.Sprintf(`{"token":%q}`, good)); !strings.HasPrefix(got, `40{"sid":`) {
		t.Fatalf("with a token: %s", got)
	}
	for _, step := range []struct{ send, answer string }{
		{`["join","a-1"]`, `[{"status":"ok"}]`},
		{`["join","b"]`, `[{"error":"not allowed"}]`},
		{`["publish",{"event":"e","room":"a-1"}]`, `[{"status":"ok","count":1}]`},
		{`["publish",{"event":"e","room":"a-2"}]`, `[{"error":"not allowed"}]`},
		{`["publish",{"event":"e","all":true}]`, `[{"error":"not allowed"}]`},
		{`["token","x.y.z"]`, `[{"error":"token invalid"}]`},
	} {
		if got := c.ask(t, step.send); got != step.answer {
			t.Errorf("%s: %s, want %s", step.send, got, step.answer)
		}
	}
	c.send(t, fmt.Sprintf(`429["token",%q]`, sign(t, file, "--sub", "ada", "--join", "b")))
	for got := ""; !strings.HasPrefix(got, `439[{"status":"ok","expires_in":`); {
		got = c.nextButCount(t)
	}
	if got := c.ask(t, `["join","b"]`); got != `[{"status":"ok"}]` {
		t.Errorf("with the new token: %s", got)
	}
	_, sockets := post(t, n.operators(t)+"/api/sockets", "", `{"users":["ada"]}`)
	if !strings.Contains(sockets, `"user":"ada"`) || !strings.Contains(sockets, `"b"`) || strings.Contains(sockets, `"a-1"`) {
		t.Errorf("sockets of the user: %s", sockets)
	}
	file.write(t, strings.Replace(tokens, "secret-of-the-tests", "another-secret", 1))
	if status, body := post(t, n.operators(t)+"/api/reload", "", "{}"); status != 200 || !strings.Contains(body, "auth.jwt.hmac_secrets") {
		t.Errorf("reload: %d %s", status, body)
	}
	other := n.open(t)
	if got := other.connect(t, "/", fmt.Sprintf(`{"token":%q}`, good)); !strings.Contains(got, "token invalid") {
		t.Errorf("with the old secret: %s", got)
	}
	renewed := fmt.Sprintf(`{"token":%q}`, sign(t, file, "--sub", "ada"))
	if got := other.connect(t, "/", renewed); !strings.HasPrefix(got, `40{"sid":`) {
		t.Errorf("with the new secret: %s", got)
	}
	if status, body := post(t, n.operators(t)+"/api/revoke", "", `{"user":"ada","before":"2100-01-01T00:00:00Z"}`); status != 200 {
		t.Errorf("revoke: %d %s", status, body)
	}
	if got := other.nextButCount(t); got != "41" {
		t.Errorf("after revoke: %s", got)
	}
}

// A client that lost its connection needs its token to come back as itself.
func TestTokensOfClientsThatComeBack(t *testing.T) {
	file := newConfigFile(t, tokens)
	n := startNode(t, "--config", string(file), "--recovery", "1m")
	token := sign(t, file, "--sub", "ada")
	c, witness := n.open(t), n.open(t)
	witness.connect(t, "/", fmt.Sprintf(`{"token":%q}`, token))
	var first, back struct{ SID, PID string }
	answer := c.connect(t, "/", fmt.Sprintf(`{"token":%q}`, token))
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "40")), &first); err != nil || first.PID == "" {
		t.Fatalf("CONNECT: %s", answer)
	}
	witness.waitCount(t, 2)
	_ = c.conn.Close()
	witness.waitCount(t, 1)
	c = n.open(t)
	if got := c.connect(t, "/", fmt.Sprintf(`{"pid":%q}`, first.PID)); !strings.Contains(got, "token required") {
		t.Errorf("back without a token: %s", got)
	}
	answer = c.connect(t, "/", fmt.Sprintf(`{"pid":%q,"token":%q}`, first.PID, token))
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "40")), &back); err != nil || back.SID == "" {
		t.Errorf("back with the token: %s", answer)
	}
}

// A namespace that is anonymous takes clients without a token where others need one.
func TestAnonymousNamespace(t *testing.T) {
	file := newConfigFile(t, tokens+"  - {name: /open, auth: anonymous, join: true}\n")
	c := startNode(t, "--config", string(file)).open(t)
	if got := c.connect(t, "/open", ""); !strings.HasPrefix(got, `40/open,{"sid":`) {
		t.Errorf("without a token: %s", got)
	}
	if got := c.connect(t, "/room-1", ""); !strings.Contains(got, "token required") {
		t.Errorf("another namespace: %s", got)
	}
}

func TestTokenCommandErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "there is no secret to sign with"},
		{[]string{"--expires", "-1s"}, "--expires must not be negative"},
		{[]string{"--data", "{"}, "--data is not JSON"},
		{[]string{"--config", "/no/such/file"}, "no such file"},
	} {
		if code, _, errs := command(t, append([]string{"token"}, c.args...)...); code != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: code %d, %s", c.args, code, errs)
		}
	}
}

// hook is a request of the node to the backend.
type hook struct {
	Type string
	Data struct {
		Namespace, Socket, Event, Reason string
		Args                             json.RawMessage
		Headers                          map[string]string
	}
}

// backend answers connects and events, and keeps what it gets.
func backend(t *testing.T, answer func(h hook) string) (url string, got <-chan hook) {
	t.Helper()
	hooks := make(chan hook, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var h hook
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &h); err != nil || r.Header.Get("webhook-signature") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		hooks <- h
		_, _ = io.WriteString(w, answer(h))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, hooks
}

// The backend decides who comes in, answers events, and hears of the end, in order.
func TestWebhooks(t *testing.T) {
	url, hooks := backend(t, func(h hook) string {
		switch {
		case h.Type == "socket.connect":
			return `{"allow":true,"rooms":["given"],"emit":[{"event":"welcome","args":["hello"]}]}`
		case h.Data.Event == "add":
			return `{"ack":[3],"emit":[{"rooms":["given"],"event":"added","args":[3]}]}`
		}
		return "{}"
	})
	file := newConfigFile(t, "webhooks: {url: '"+url+"', secrets: [s3cr3t], headers: [x-who]}\n"+
		"namespaces: [{name: /, join: true, publish: true, webhook_events: ['*']}]\n")
	n := startNode(t, "--config", string(file))
	c := n.open(t)
	if got := c.connect(t, "/", ""); !strings.HasPrefix(got, `40{"sid":`) {
		t.Fatal(got)
	}
	if got := c.next(t); got != `42["welcome","hello"]` {
		t.Error(got)
	}
	if got := c.ask(t, `["join","a"]`); got != `[{"status":"ok"}]` {
		t.Error(got)
	}
	if got := c.ask(t, `["add",1,2]`); got != `[3]` {
		t.Error(got)
	}
	if got := c.next(t); got != `42["added",3]` {
		t.Error(got)
	}
	_ = c.conn.Close()
	for _, want := range []string{"socket.connect", "socket.event", "socket.disconnect"} {
		h := <-hooks
		if h.Type != want || h.Data.Namespace != "/" || h.Data.Socket == "" {
			t.Errorf("%+v, want %s", h, want)
		}
		if h.Type == "socket.event" && (h.Data.Event != "add" || string(h.Data.Args) != "[1,2]") {
			t.Errorf("%+v", h)
		}
	}
	if code := n.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// An event of the node's own goes to the backend, in place of the node, when the rule names it; a reload changes that.
// All events that the backend gets keep their order.
func TestOwnEventsOfTheBackend(t *testing.T) {
	url, hooks := backend(t, func(h hook) string {
		if h.Type == "socket.event" {
			return `{"ack":["` + h.Data.Event + ` of the backend"]}`
		}
		return `{"allow":true}`
	})
	for name, namespace := range map[string]string{"name: /": "/", "pattern: ^/x$": "/x"} {
		config := func(events string) string {
			return "webhooks: {url: '" + url + "', secrets: [s3cr3t], events: [event]}\n" +
				"namespaces: [{" + name + ", join: true, publish: true, webhook_events: [" + events + "]}]\n"
		}
		file := newConfigFile(t, config("join, leave, publish, token, say"))
		n := startNode(t, "--config", string(file), "--admin-listen", "127.0.0.1:0")
		c := n.open(t)
		if got := c.connect(t, namespace, ""); !strings.HasPrefix(got, "40") {
			t.Fatal(got)
		}
		ask := func(event, want string) {
			t.Helper()
			prefix := ""
			if namespace != "/" {
				prefix = namespace + ","
			}
			c.send(t, "42"+prefix+`5["`+event+`","r"]`)
			if got := c.nextButCount(t); got != "43"+prefix+"5["+want+"]" {
				t.Errorf("%s: %s, want %s", event, got, want)
			}
		}
		events := []string{"join", "say", "leave", "publish", "token", "join", "say"}
		for _, event := range events {
			ask(event, `"`+event+` of the backend"`)
		}
		for i, want := range events {
			if h := <-hooks; h.Data.Event != want || string(h.Data.Args) != `["r"]` {
				t.Errorf("event %d: %+v, want %s", i, h, want)
			}
		}
		file.write(t, config("'*'"))
		if status, body := post(t, n.operators(t)+"/api/reload", "", "{}"); status != 200 {
			t.Fatalf("reload: %d %s", status, body)
		}
		ask("join", `{"status":"ok"}`)
		ask("token", `{"error":"token invalid"}`)
		ask("say", `"say of the backend"`)
		<-hooks
	}
}

// Clients are refused, or let in, while the backend is down; a reload changes that.
func TestWebhooksWithoutBackend(t *testing.T) {
	config := func(onFailure string) string {
		return "webhooks: {url: 'http://127.0.0.1:1/', timeout: 2s, on_failure: " + onFailure + "}\n" +
			"namespaces: [{name: /, webhook_events: [ask]}]\n"
	}
	file := newConfigFile(t, config("deny"))
	n := startNode(t, "--config", string(file), "--admin-listen", "127.0.0.1:0")
	c := n.open(t)
	if got := c.connect(t, "/", ""); got != `44{"message":"try again later","data":{"code":"unavailable"}}` {
		t.Error(got)
	}
	file.write(t, config("allow"))
	if status, body := post(t, n.operators(t)+"/api/reload", "", "{}"); status != 200 || !strings.Contains(body, "webhooks.on_failure") {
		t.Errorf("reload: %d %s", status, body)
	}
	if got := c.connect(t, "/", ""); !strings.HasPrefix(got, `40{"sid":`) {
		t.Error(got)
	}
	if got := c.ask(t, `["ask"]`); got != `[{"error":"unavailable"}]` {
		t.Error(got)
	}
	if got := c.ask(t, `["other"]`); got != `[{"error":"unknown event"}]` {
		t.Error(got)
	}
}

// A key that cannot be read keeps the node from starting, and a reload from changing anything.
func TestBadKeyFile(t *testing.T) {
	bad := newConfigFile(t, "no key\n")
	file := newConfigFile(t, "auth: {jwt: {public_key_file: '"+string(bad)+"'}}\n")
	code, _, errs := command(t, "serve", "--addr", "127.0.0.1:0", "--admin-listen", "", "--config", string(file))
	if code != 1 || !strings.Contains(errs, "public key") {
		t.Errorf("start: code %d, %s", code, errs)
	}
	good := newConfigFile(t, "node: a\n")
	n := startNode(t, "--admin-listen", "127.0.0.1:0", "--config", string(good))
	text, err := os.ReadFile(string(file))
	if err != nil {
		t.Fatal(err)
	}
	good.write(t, string(text))
	if status, body := post(t, n.operators(t)+"/api/reload", "", "{}"); status != 422 || !strings.Contains(body, "public key") {
		t.Errorf("reload: %d %s", status, body)
	}
}

// A client that comes back needs a token as any other.
func TestRecoveredClientsNeedTokens(t *testing.T) {
	config := newConfigFile(t, "engine: {recovery: 1m}\nauth: {required: true, jwt: {hmac_secrets: [s]}}\n"+
		"namespaces: [{name: /, publish: true, join: true}]\n")
	n := startNode(t, "--config", string(config))
	var out, errs strings.Builder
	if code := execute(t.Context(), []string{"token", "--config", string(config), "--sub", "ann"}, &out, &errs); code != 0 {
		t.Fatal(errs.String())
	}
	token := strings.TrimSpace(out.String())
	join := func(auth string) (*client, string) {
		c, err := n.tryDial("")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.conn.Close() })
		c.next(t)
		c.send(t, "40"+auth)
		return c, c.next(t)
	}
	c, got := join(`{"token":"` + token + `"}`)
	var connect struct{ SID, PID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(got, "40")), &connect); err != nil || connect.PID == "" {
		t.Fatalf("CONNECT packet: %s", got)
	}
	c.send(t, `42["publish",{"event":"e","room":"`+connect.SID+`"}]`)
	var event []string
	if got := c.event(t); json.Unmarshal([]byte(got), &event) != nil || len(event) != 2 {
		t.Fatalf("no offset: %s", got)
	}
	_ = c.conn.Close()
	back := `"pid":"` + connect.PID + `","offset":"` + event[1] + `"`
	if _, got := join(`{` + back + `}`); !strings.HasPrefix(got, `44{"message":"token required"`) {
		t.Errorf("without a token: %s", got)
	}
	again, got := join(`{"token":"` + token + `",` + back + `}`)
	if !strings.HasPrefix(got, "40") {
		t.Fatal(got)
	}
	if got := again.ask(t, `["token","`+token+`"]`); !strings.HasPrefix(got, `[{"status":"ok"`) {
		t.Errorf("its claims are lost: %s", got)
	}
}
