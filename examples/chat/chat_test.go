package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

func start(t *testing.T) (*servertest.Server, *tokens) {
	ts, tk := servertest.New(t, server.Config{}), newTokens()
	newChat(ts.Server, tk)
	return ts, tk
}

// sit connects somebody and enters a room.
func sit(t *testing.T, ts *servertest.Server, tk *tokens, name, room string) *servertest.Client {
	t.Helper()
	c := ts.Connect("/chat", map[string]string{"token": tk.sign(name)})
	if r := c.Refused(); r != nil {
		t.Fatal(r)
	}
	c.EmitAck("enter", room)
	c.Expect("people")
	return c
}

func TestConversation(t *testing.T) {
	ts, tk := start(t)
	ann := sit(t, ts, tk, "Ann", "lobby")
	bob := sit(t, ts, tk, "Bob", "lobby")
	cleo := sit(t, ts, tk, "Cleo", "elsewhere")
	ann.Expect("people", 2)

	bob.Emit("typing", true)
	ann.Expect("typing", typing{bob.ID(), "Bob", true})
	bob.EmitAck("say", " hello ")
	for _, c := range []*servertest.Client{ann, bob} {
		var m said
		c.Expect("said", &m)
		if m.Name != "Bob" || m.Text != "hello" || m.From != bob.ID() {
			t.Errorf("said %+v", m)
		}
	}
	cleo.ExpectNothing()
}

func TestPeopleComeAndGo(t *testing.T) {
	ts, tk := start(t)
	ann, bob := sit(t, ts, tk, "Ann", "lobby"), sit(t, ts, tk, "Bob", "lobby")
	ann.Expect("people", 2)
	var in entered
	if err := bob.EmitAck("enter", "harbour").Decode(&in); err != nil || in != (entered{"harbour", 1}) {
		t.Error(in, err)
	}
	ann.Expect("people", 1)
	bob.EmitAck("enter", "lobby")
	ann.Expect("people", 2)
	bob.EmitAck("enter", "lobby")
	ann.Expect("people", 2)
	bob.Cut()
	ann.Expect("people", 1)
	ann.ExpectNothing()
}

func TestErrors(t *testing.T) {
	ts, tk := start(t)
	ann := ts.Connect("/chat", map[string]string{"token": tk.sign("Ann")})
	for _, call := range []struct {
		event, arg, want string
	}{
		{"say", "hello", "enter a room first"},
		{"enter", "  ", "a room's name has 1 to 32 characters"},
		{"enter", strings.Repeat("ü", roomMax+1), "a room's name has 1 to 32 characters"},
		{"enter", "lobby", ""},
		{"say", "", "a message has 1 to 500 characters"},
	} {
		var answer json.RawMessage
		if err := ann.EmitAck(call.event, call.arg).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		var failed struct{ Error string }
		_ = json.Unmarshal(answer, &failed)
		if failed.Error != call.want {
			t.Errorf("%s(%q): %s, want %q", call.event, call.arg, answer, call.want)
		}
	}
}

func TestTokens(t *testing.T) {
	ts, tk := start(t)
	good := tk.sign("Ann")
	for name, token := range map[string]string{
		"none": "", "of another key": newTokens().sign("Ann"), "changed": good + "a", "no text": "....",
	} {
		if r := ts.Connect("/chat", map[string]string{"token": token}).Refused(); r == nil || r.Message != "sign in" {
			t.Errorf("%s: refused with %v", name, r)
		}
	}
	if r := ts.Connect("/chat", nil).Refused(); r == nil {
		t.Error("let in without auth")
	}
	tk.now = func() time.Time { return time.Now().Add(tokenLife + time.Minute) }
	if _, err := tk.verify(good); err == nil {
		t.Error("an old token is good")
	}
}

func TestPages(t *testing.T) {
	tk := newTokens()
	h := pages(tk)
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w
	}
	for _, path := range []string{"/", "/app.js", "/style.css", "/icon.svg", "/demo/socket.js"} {
		if w := ask("GET", path, ""); w.Code != http.StatusOK || w.Body.Len() < 100 || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	for body, want := range map[string]int{`{"name":"Ann"}`: 200, `{"name":" "}`: 400, `{`: 400} {
		if w := ask("POST", "/sign-in", body); w.Code != want {
			t.Errorf("sign-in with %s: status %d, want %d", body, w.Code, want)
		}
	}
	var out struct{ Token string }
	_ = json.Unmarshal(ask("POST", "/sign-in", `{"name":"Zoë"}`).Body.Bytes(), &out)
	if name, err := tk.verify(out.Token); name != "Zoë" || err != nil {
		t.Error(name, err)
	}
}

// The program begins and ends.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
}
