package server_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// Flags for what is emitted next to one socket, and that they belong to that emission alone.
func TestEmission(t *testing.T) {
	done := make(chan error, 1)
	_, c := asked(t, server.Config{}, func(s *server.Socket) {
		ctx := t.Context()
		soon := s.Timeout(time.Millisecond)
		if _, err := soon.Request(ctx, "late"); !errors.Is(err, server.ErrTimeout) {
			t.Error(err)
		}
		// A time-out holds beside a deadline of the context.
		later, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := soon.Volatile().EmitAck(later, "later", func(_ server.Reply, err error) { done <- err }); err != nil {
			t.Error(err)
		}
		if err := receive(t, done); !errors.Is(err, server.ErrTimeout) {
			t.Error(err)
		}
		if r, err := soon.Timeout(0).Request(ctx, "q"); err != nil || string(r.Arg(0).JSON) != "1" {
			t.Error(r, err)
		}
		if err := s.Volatile().Emit("v", 1); err != nil {
			t.Error(err)
		}
		if err := s.Volatile().Emit("connect"); !errors.Is(err, server.ErrReserved) {
			t.Error(err)
		}
	})
	c.expect(`20["late"]`, `21["later"]`, `22["q"]`)
	c.send(`32[1]`)
	c.expect(`2["v",1]`)
}
