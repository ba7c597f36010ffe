package server

import (
	"errors"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// emptyLog is an adapter with a log that has nothing to return.
type emptyLog struct {
	cluster.Adapter
	cluster.Log
}

func (emptyLog) HasLog() bool { return true }

func (emptyLog) SubscribeLog(_ string, receive func(m *cluster.Message)) error {
	receive(&cluster.Message{Kind: cluster.LogPosition, Offset: cluster.Offset{Minor: 1}})
	return nil
}

func (emptyLog) InOrder(string, func()) bool { return false }

// A node whose log has nothing to return refuses what a loop has no room for, as one without a log does: nobody waits
// on a loop, and no mailbox grows without bound.
func TestFullMailboxWithLog(t *testing.T) {
	cfg := Config{Recovery: Recovery{MaxDisconnection: time.Minute}}
	for name, opts := range map[string][]Option{
		"no log": nil,
		"log":    {WithAdapter(emptyLog{Adapter: cluster.NewBus().Node("a")})},
	} {
		r := newRig(t, cfg, opts...)
		_, s := r.join(t)
		for what, do := range map[string]func() error{
			"Emit":        func() error { _, err := r.srv.root.Local().Emit("e"); return err },
			"volatile":    func() error { return s.Volatile().Emit("e") },
			"SocketsJoin": func() error { return r.srv.root.Local().SocketsJoin("room") },
			"EmitAck":     func() error { return s.EmitAck(t.Context(), "e", func(Reply, error) {}) },
		} {
			r.loop.full.Store(1)
			r.loop.crammed.Store(true)
			if err := do(); !errors.Is(err, ErrQueueFull) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			r.loop.full.Store(0)
			r.loop.crammed.Store(false)
			r.loop.run()
		}
	}
}
