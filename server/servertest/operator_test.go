package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// A handler that asks many clients, or looks at their sockets, does not keep the test from going on, and the
// time-out is under the test's clock.
func TestOperators(t *testing.T) {
	each(t, func(t *testing.T, loops int, how servertest.Option) {
		ts := servertest.New(t, server.Config{Loops: loops, AckTimeout: 3 * time.Second})
		ns := ts.Of("/")
		server.On0(ns, "ask", func(ctx context.Context, s *server.Socket) error {
			_ = ns.SocketsJoin("room")
			sum, late := 0, false
			for v, err := range server.CallAll[int](ctx, ns.To("room"), "value") {
				sum, late = sum+v, late || errors.Is(err, server.ErrTimeout)
			}
			sockets, err := ns.FetchSockets(ctx)
			return s.Emit("result", fmt.Sprint(sum, late, len(sockets), err))
		})
		clients := []*servertest.Client{ts.Client(how), ts.Client(how), ts.Client(how)}
		for i, c := range clients {
			c.On("value", func(servertest.Event) []any { return []any{i + 1} })
		}
		clients[0].Emit("ask")
		clients[0].Expect("result", "6 false 3 <nil>")
		clients[2].On("value", nil)
		clients[1].Emit("ask")
		ts.Advance(time.Second)
		clients[1].ExpectNothing()
		ts.Advance(3 * time.Second)
		clients[1].Expect("result", "3 true 3 <nil>")
	})
}
