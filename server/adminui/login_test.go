package adminui

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server/servertest"
)

// Who has signed in comes back with the session that it got, until that ends.
func TestSession(t *testing.T) {
	store := newMemoryStore(time.Hour)
	at := time.Now()
	store.now = func() time.Time { return at }
	k := start(t, Options{Username: "admin", PasswordBcrypt: hash, Store: store, Namespace: "/look"})
	first := k.Connect("/look", map[string]string{"username": "admin", "password": "changeit"})
	var session string
	first.Expect("session", &session)
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(session) {
		t.Fatalf("the session is %q", session)
	}
	come := func(auth any) *servertest.Refusal {
		return k.Client(servertest.Namespace("/look"), servertest.Auth(auth)).Refused()
	}
	if r := come(map[string]string{"sessionId": session}); r != nil {
		t.Error(r)
	}
	if again := k.Connect("/look", map[string]string{"sessionId": session}); slices.Contains(names(again), "session") {
		t.Error("who comes back gets another session")
	}
	for _, auth := range []any{
		map[string]any{"sessionId": ""}, map[string]any{"sessionId": session + "0"}, map[string]any{"sessionId": 1},
		map[string]any{"sessionId": session + "x", "username": "admin", "password": "changeit"},
		map[string]any{"username": "root", "password": "changeit"}, map[string]any{"username": "admin", "password": ""},
		map[string]any{"username": "admin", "password": strings.Repeat("x", 2000)}, map[string]any{"username": []int{1}},
		map[string]any{"username": "admin", "password": hash},
	} {
		if r := come(auth); r == nil || r.Message != "invalid credentials" {
			t.Errorf("%v: %+v", auth, r)
		}
	}
	at = at.Add(time.Hour)
	if r := come(map[string]string{"sessionId": session}); r == nil {
		t.Error("a session does not end")
	}
}

func TestMemoryStore(t *testing.T) {
	m := newMemoryStore(time.Hour)
	for i := range sessionsMax + 10 {
		must(t, m.Save(t.Context(), fmt.Sprint(i)))
	}
	if len(m.byID) != sessionsMax || m.order.Len() != sessionsMax {
		t.Errorf("%d sessions are kept", len(m.byID))
	}
	for id, want := range map[string]bool{"9": false, "10": true, fmt.Sprint(sessionsMax + 9): true} {
		if known, _ := m.Exists(t.Context(), id); known != want {
			t.Errorf("%s: %v", id, known)
		}
	}
}

// failing is a Store that fails.
type failing struct{}

func (failing) Exists(context.Context, string) (bool, error) { return true, errors.New("down") }
func (failing) Save(context.Context, string) error           { return errors.New("down") }

func TestStoreFails(t *testing.T) {
	k := start(t, Options{Username: "admin", PasswordBcrypt: hash, Store: failing{}})
	in := k.Connect("/admin", map[string]string{"username": "admin", "password": "changeit"})
	if all := names(in); slices.Contains(all, "session") || !slices.Contains(all, "config") {
		t.Error(all)
	}
	if r := k.Client(servertest.Namespace("/admin"), servertest.Auth(map[string]string{"sessionId": "x"})).Refused(); r == nil || r.Message != "try again later" {
		t.Errorf("%+v", r)
	}
}

// Only so many passwords are checked at a time, and only so many people wait.
func TestLoginsAreBounded(t *testing.T) {
	k := start(t, Options{Username: "admin", PasswordBcrypt: hash, MaxLogins: 3})
	for range checksMax {
		k.ui.checks <- struct{}{} // checks that take long
	}
	var wait sync.WaitGroup
	results := make(chan error, 10)
	for range 10 {
		wait.Go(func() { results <- k.ui.checkPassword(context.Background(), "admin", "changeit") })
	}
	for range 10 - 3 - checksMax {
		select {
		case err := <-results:
			if err != errBusy {
				t.Errorf("too many wait: %v", err)
			}
		case <-time.After(15 * time.Second):
			t.Fatal("too many wait")
		}
	}
	for range checksMax {
		<-k.ui.checks
	}
	wait.Wait()
	for range 3 + checksMax {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := k.ui.waiting.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range checksMax {
		k.ui.checks <- struct{}{}
	}
	if err := k.ui.checkPassword(ctx, "admin", "changeit"); err != errBusy {
		t.Error(err)
	}
}
