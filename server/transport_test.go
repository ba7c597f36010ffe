package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue/logtest"
	"github.com/seed58c87869/siren/server/servertest"
)

// A client on polling gets broadcasts, emits and acknowledgements, in order, and its end is seen.
func TestPollingClient(t *testing.T) {
	gone := make(chan server.Reason, 8)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		ns := srv.Of("/")
		server.On1(ns, "join", func(_ context.Context, s *server.Socket, room string) error {
			if s.Transport() != server.Polling {
				t.Error(s.Transport())
			}
			return s.Join(room)
		})
		ns.OnDisconnect(func(_ *server.Socket, r server.Reason) { gone <- r })
	})
	p := dialPolling(t, srv)
	p.post("40")
	p.take(1)
	p.post("421[\"join\",\"room\"]\x1e422[\"join\",\"room\"]")
	if got := p.take(2); got[0] != "431[]" || got[1] != "432[]" {
		t.Error(got)
	}
	for i := range 20 {
		if n, err := srv.Of("/").To("room").Emit("m", i); n != 1 || err != nil {
			t.Error(n, err)
		}
	}
	for i, got := range p.take(20) {
		if got != fmt.Sprintf(`42["m",%d]`, i) {
			t.Errorf("%d: %s", i, got)
		}
	}
	// Volatile is for a client that waits for it this moment.
	_, _ = srv.Of("/").Volatile().Emit("never")
	eventually(t, "it is dropped", func() bool { return srv.Stats().Sessions.DroppedVolatile == 1 })
	_, _ = srv.Of("/").Emit("always")
	if got := p.take(1); got[0] != `42["always"]` {
		t.Error(got)
	}
	p.post("1")
	if r := receive(t, gone); r != server.ReasonTransportClose {
		t.Error(r)
	}
}

// The hook for requests, and what a socket knows of its handshake.
func TestAllowRequest(t *testing.T) {
	srv := start(t, server.Config{AllowRequest: func(_ context.Context, h *server.RequestInfo) error {
		switch h.Header("x-reject") {
		case "":
			return nil
		case "told":
			return server.Refuse("go away", nil)
		}
		return errors.New("nobody may read this")
	}}, nil)
	for header, want := range map[string]string{"told": `{"code":4,"message":"go away"}`, "x": `{"code":4,"message":"Forbidden"}`} {
		resp, body := exchange(t, srv, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX-Reject: "+header+"\r\n\r\n")
		if resp.StatusCode != http.StatusForbidden || body != want {
			t.Errorf("%s: %d %s", header, resp.StatusCode, body)
		}
	}
	c := dialPath(t, srv, "/socket.io/", http.Header{"X-Who": {"me"}})
	c.send(`0{"a":[1]}`)
	h := srv.Of("/").Socket(c.connected("")).Handshake()
	var auth struct{ A []int }
	if err := h.Auth(&auth); err != nil || len(auth.A) != 1 || string(h.RawAuth()) != `{"a":[1]}` {
		t.Error(auth, err)
	}
	if h.Header("x-who") != "me" || h.Query().Get("EIO") != "4" || h.Address() != "127.0.0.1" || h.Headers().Get("X-Who") != "me" {
		t.Errorf("%+v", h.Headers())
	}
	none := srv.Of("/").Socket(dial(t, srv).join("/")).Handshake()
	if err := none.Auth(&auth); err != nil || none.RawAuth() != nil || len(auth.A) != 1 {
		t.Error("auth without a payload")
	}
}

// A slow client loses what the policy says, each drop is counted, and nobody else loses anything.
func TestSlowConsumer(t *testing.T) {
	for _, transport := range []server.Transport{server.Polling, server.WebSocket} {
		for _, policy := range []server.Overflow{server.OverflowDisconnect, server.OverflowDropNewest, server.OverflowExpendable} {
			t.Run(fmt.Sprint(transport, policy), func(t *testing.T) { slowConsumer(t, transport, policy) })
		}
	}
}

func slowConsumer(t *testing.T, transport server.Transport, policy server.Overflow) {
	const events = 20
	var log logtest.Buffer
	ts := servertest.New(t, server.Config{
		Loops: 2, Queue: server.Queue{MaxBytes: 10_000, OnFull: policy}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	var gone []server.Reason
	ts.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) { gone = append(gone, r) })
	slow, quick := ts.Client(servertest.Transport(transport)), ts.Client()
	slow.StopReading()
	for i := range events {
		_, _ = ts.Emit("m", i, make([]int, 500))
		quick.Expect("m", i)
	}
	slow.Resume()
	got, st := slow.Events(), ts.Stats().Sessions
	if policy == server.OverflowDisconnect {
		if len(gone) != 1 || gone[0] != server.ReasonTransportError || st.SlowClosed != 1 || slow.Connected() {
			t.Error(gone, st.SlowClosed, slow.DisconnectReason())
		}
		eventually(t, "a line of the log", func() bool {
			return strings.Contains(log.String(), `level=WARN msg="client disconnected: it did not read, and its queue was full" eio.addr=`)
		})
		return
	}
	dropped, other := st.DroppedFull, st.DroppedExpendable
	if policy == server.OverflowExpendable {
		dropped, other = other, dropped
	}
	if len(got) == 0 || uint64(len(got))+dropped != events || other != 0 || len(gone) != 0 {
		t.Errorf("%d came, %d were dropped, and %d by the other policy; %v", len(got), dropped, other, gone)
	}
	if all := ts.Stats(); all.DroppedBy()["queue_full"] != st.DroppedFull {
		t.Error(all.DroppedBy())
	}
	_, _ = ts.Emit("after")
	slow.Expect("after")
}
