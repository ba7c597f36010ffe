package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

func start(t *testing.T) *servertest.Server {
	ts := servertest.New(t, server.Config{})
	if err := serveList(ts.Server); err != nil {
		t.Fatal(err)
	}
	return ts
}

// What one makes and deletes, all see; who comes later sees what there is.
func TestLiveList(t *testing.T) {
	ts := start(t)
	ann, bob := ts.Connect("/", nil), ts.Connect("/", nil)
	for _, c := range []*servertest.Client{ann, bob} {
		c.Expect("state", state{[]item{}})
	}
	var made item
	if err := ann.EmitAck("create", " milk ").Decode(&made); err != nil || made != (item{1, "milk"}) {
		t.Fatal(made, err)
	}
	bob.EmitAck("create", "bread")
	for _, c := range []*servertest.Client{ann, bob} {
		c.Expect("state", state{[]item{{1, "milk"}}})
		c.Expect("state", state{[]item{{1, "milk"}, {2, "bread"}}})
	}
	ann.EmitAck("delete", 1)
	bob.Expect("state", state{[]item{{2, "bread"}}})

	bob.Cut()
	ann.Expect("state", state{[]item{{2, "bread"}}})
	ann.EmitAck("create", "tea")
	ts.Connect("/", nil).Expect("state", state{[]item{{2, "bread"}, {3, "tea"}}})
	bob.ExpectNothing()
}

func TestErrors(t *testing.T) {
	ts := start(t)
	ann := ts.Connect("/", nil)
	ann.Events()
	refused := func(event string, arg any, want string) {
		t.Helper()
		var answer struct{ Error string }
		if err := ann.EmitAck(event, arg).Decode(&answer); err != nil || answer.Error != want {
			t.Errorf("%s(%v): %+v, %v; want %q", event, arg, answer, err, want)
		}
		ann.ExpectNothing()
	}
	refused("create", "   ", "a title has 1 to 80 characters")
	refused("create", strings.Repeat("ü", titleMax+1), "a title has 1 to 80 characters")
	refused("delete", 7, "somebody else has deleted it")
	for i := range itemsMax {
		ann.EmitAck("create", fmt.Sprint(i))
	}
	ann.Events()
	refused("create", "one more", "the list is full")
}

func TestPages(t *testing.T) {
	h := pages()
	for _, path := range []string{"/", "/app.js", "/style.css", "/icon.svg", "/demo/socket.js"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusOK || w.Body.Len() < 100 || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

// An empty list is a list on the wire, not null.
func TestEmptyState(t *testing.T) {
	if b, err := json.Marshal(state{[]item{}}); string(b) != `{"items":[]}` || err != nil {
		t.Error(string(b), err)
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
