package server_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/parser"
)

// buffers are n different binary values.
func buffers(n int) []any {
	args := make([]any, n)
	for i := range args {
		args[i] = []byte{byte(i)}
	}
	return args
}

// More attachments than clients take are an error where they are sent, and the connection goes on.
func TestAttachmentsSent(t *testing.T) {
	for name, test := range map[string]struct {
		cfg   server.Config
		limit int // 0 for none
	}{
		"default":        {server.Config{}, 10},
		"higher":         {server.Config{MaxAttachmentsSent: 12}, 12},
		"lower":          {server.Config{MaxAttachmentsSent: 1}, 1},
		"recovery":       {server.Config{Recovery: server.Recovery{MaxDisconnection: time.Minute}}, 10},
		"another parser": {server.Config{Parser: parser.Msgpack()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, test.cfg, nil)
			ns := srv.Of("/")
			var acks []error
			server.On0(ns, "e", func(context.Context, *server.Socket) error { return nil })
			ns.On("ack", func(_ context.Context, m *server.Message) {
				if test.limit > 0 {
					acks = append(acks, m.Ack(buffers(test.limit+1)...))
				}
				acks = append(acks, m.Ack(buffers(max(test.limit, 100)%101)...))
			})
			ctx := t.Context()
			sends := func(n int) map[string]error {
				_, emit := ns.Emit("e", buffers(n)...)
				_, volatile := ns.Volatile().Emit("e", buffers(n)...)
				p, err := server.Prepare("e", buffers(n)...)
				if err != nil {
					t.Fatal(err)
				}
				_, send := ns.EmitPrepared(p)
				return map[string]error{
					"Emit": emit, "Volatile": volatile, "Send": send,
					"EmitAck": ns.EmitAck(ctx, "e", func([]server.Reply, error) {}, buffers(n)...),
				}
			}
			for what, err := range sends(max(test.limit, 1)) {
				if err != nil {
					t.Errorf("%s at the limit: %v", what, err)
				}
			}
			for what, err := range sends(max(test.limit+1, 200)) {
				if test.limit > 0 != errors.Is(err, server.ErrTooManyAttachments) {
					t.Errorf("%s above the limit: %v", what, err)
				}
			}
			if test.limit == 0 {
				return
			}
			c, id := joined(t, srv, "/")
			s := ns.Socket(id)
			above := buffers(test.limit + 1)
			_, request := s.Request(ctx, "e", above...)
			p, _ := server.Prepare("e", above...)
			for what, err := range map[string]error{
				"Emit": s.Emit("e", above...), "Request": request, "EmitPrepared": s.EmitPrepared(p),
				"EmitAck": s.EmitAck(ctx, "e", func(server.Reply, error) {}, above...),
			} {
				if !errors.Is(err, server.ErrTooManyAttachments) {
					t.Errorf("%s of a socket: %v", what, err)
				}
			}
			_ = c
		})
	}
}

// An acknowledgement with more attachments than clients take fails, and can be made again.
func TestAttachmentsAcknowledged(t *testing.T) {
	results := make(chan error, 2)
	srv := start(t, server.Config{MaxAttachmentsSent: 1}, func(srv *server.Server) {
		srv.Of("/").On("e", func(_ context.Context, m *server.Message) {
			results <- m.Ack(buffers(2)...)
			results <- m.Ack(buffers(1)...)
		})
	})
	c, _ := joined(t, srv, "/")
	c.send(`20["e"]`)
	c.expect(`61-0[{"_placeholder":true,"num":0}]`, "binary 00")
	if err := receive(t, results); !errors.Is(err, server.ErrTooManyAttachments) {
		t.Error(err)
	}
	if err := receive(t, results); err != nil {
		t.Error(err)
	}
}

// The attachments of an event count in the inbox with their size: who sends more than it holds is disconnected.
func TestInboxCountsAttachments(t *testing.T) {
	gate := make(chan struct{})
	srv := start(t, server.Config{MaxPayload: 10_000, Inbox: server.Inbox{MaxBytes: 50_000}}, func(srv *server.Server) {
		srv.Of("/").On("e", func(context.Context, *server.Message) { <-gate })
	})
	defer close(gate)
	c, _ := joined(t, srv, "/")
	for range 8 {
		c.send(`51-["e",{"_placeholder":true,"num":0}]`)
		c.sendBinary(make([]byte, 9000))
	}
	c.expectClosed()
	if n := srv.Stats().InboxFull; n != 1 {
		t.Errorf("%d times full", n)
	}
}
