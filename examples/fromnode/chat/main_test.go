package main

import (
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// The chat does what its clients expect.
func TestChat(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	chat(ts.Of("/"))
	ann, bob := ts.Client(), ts.Client()
	ann.Emit("add user", "ann")
	ann.Expect("login", map[string]any{"numUsers": 1})
	bob.Expect("user joined", map[string]any{"numUsers": 1, "username": "ann"})
	bob.Emit("add user", "bob")
	bob.Emit("add user", "bob again")
	bob.Expect("login", map[string]any{"numUsers": 2})
	ann.Expect("user joined", map[string]any{"numUsers": 2, "username": "bob"})
	for _, event := range []string{"typing", "stop typing"} {
		bob.Emit(event)
		ann.Expect(event, map[string]any{"username": "bob"})
	}
	bob.Emit("new message", "hi")
	ann.Expect("new message", map[string]any{"username": "bob", "message": "hi"})
	ann.Cut()
	bob.Expect("user left", map[string]any{"numUsers": 1, "username": "ann"})
	bob.ExpectNothing()
}
