package server_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// A handler with InlineIf runs on the event loop for some sockets, and for others in the order of their events. One
// such handler keeps the others of its event off the loop too.
func TestInlineIf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := servertest.New(t, server.Config{})
		var order []string
		for _, name := range []string{"first", "second"} {
			ts.Of("/").On("e", func(_ context.Context, m *server.Message) {
				where := " off the loop"
				if m.OnLoop() {
					where = " on the loop"
				}
				order = append(order, name+where)
			}, server.InlineIf(func(s *server.Socket) bool { return s.Handshake().Query().Get("x") == "" || name == "first" }))
		}
		ts.Of("/").On("slow", func(context.Context, *server.Message) { order = append(order, "slow") })
		ts.Client().Emit("e")
		off := ts.Client(servertest.Query("x", "1"))
		off.Emit("slow")
		off.Emit("e")
		want := []string{"first on the loop", "second on the loop", "slow", "first off the loop", "second off the loop"}
		if !slices.Equal(order, want) {
			t.Errorf("%q, want %q", order, want)
		}
	})
}
