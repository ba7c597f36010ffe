package session

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// The level Debug logs the life of each session and the type and size of its packets, but not the secret id.
func TestSessionLog(t *testing.T) {
	var log strings.Builder
	r := newRig(t, 1, Config{
		PingInterval: 300 * ms, PingTimeout: 200 * ms,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}).echo()
	sid := r.poll(0)
	r.post(0, sid, "4hello").want(200, "ok")
	r.get(0, sid).want(200, "4hello")
	w := r.openWS(0, sid)
	w.text("2probe").text("5").write(frame(2, "abc"))
	r.advance(302 * ms)
	w.text("3")
	r.last().s.Send(eio.Link(eio.NewMessage([]byte("51-x")), eio.NewBinary([]byte("12"))), false)
	other := r.openWS(0, sid)
	other.cut()
	failing := r.poll(0)
	f := r.openWS(0, failing)
	f.text("4x")
	w.cut()
	text := log.String()
	if strings.Contains(text, sid) {
		t.Error("the id of a session is logged")
	}
	for _, want := range []string{
		"msg=open addr=", "transport=polling",
		"msg=received addr=192.0.2.1 transport=polling packet=message bytes=5 binary=false",
		"msg=sent addr=192.0.2.1 transport=polling packet=message bytes=5 binary=false",
		"msg=upgraded addr=192.0.2.1 transport=websocket",
		"msg=received addr=192.0.2.1 transport=websocket packet=message bytes=3 binary=true",
		"msg=sent addr=192.0.2.1 transport=websocket packet=message bytes=3 binary=true",
		"msg=sent addr=192.0.2.1 transport=websocket packet=ping bytes=0 binary=false",
		"msg=received addr=192.0.2.1 transport=websocket packet=pong bytes=0 binary=false",
		"msg=sent addr=192.0.2.1 transport=websocket packet=message bytes=4 binary=false",
		"msg=sent addr=192.0.2.1 transport=websocket packet=message bytes=2 binary=true",
		"msg=\"upgrade failed\"",
		"msg=closed addr=192.0.2.1 transport=websocket reason=\"transport close\"",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// The level Debug tells why a request was refused, without its query, which may have secrets.
func TestRefusedLog(t *testing.T) {
	var log strings.Builder
	r := newRig(t, 1, Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, tc := range []struct{ request, want string }{
		{request("GET", base+"carrier&token=secret", ""), `status=400 reason="Transport unknown" code=0`},
		{request("GET", base+"polling&sid=secret", ""), `status=400 reason="Session ID unknown" code=1`},
		{request("DELETE", base+"polling&token=secret", ""), `status=400 reason="Bad handshake method" code=2`},
		{in3(request("GET", base+"polling", ""), "token=secret"), `status=400 reason="Unsupported protocol version" code=5`},
	} {
		log.Reset()
		r.dial(0).write(tc.request)
		text := log.String()
		if !strings.Contains(text, `msg="request refused" addr=192.0.2.1 `+tc.want) || strings.Contains(text, "secret") {
			t.Errorf("%q: %s", tc.request, text)
		}
	}
}

// Clients that do not read get one line a second for each loop, which counts those without a line.
func TestSlowClientsAreLoggedSeldom(t *testing.T) {
	var log strings.Builder
	r := newRig(t, 1, Config{QueueBytes: 1000, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	slow := func() {
		r.openWS(0, "").conn.Stall(true)
		c := r.last()
		r.loops[0].Do(func() {
			for range 3 {
				c.s.Send(message(600), false)
			}
		})
		r.run()
	}
	for range 3 {
		slow()
	}
	if text := log.String(); strings.Count(text, "did not read") != 1 || !strings.Contains(text, "others=0\n") {
		t.Errorf("three at once: %s", text)
	}
	log.Reset()
	r.advance(2 * time.Second)
	slow()
	if text := log.String(); strings.Count(text, "did not read") != 1 || !strings.Contains(text, "others=2\n") {
		t.Errorf("one later: %s", text)
	}
}

// counted is a log handler that takes no debug records and counts what it is asked.
type counted struct{ calls *atomic.Int64 }

func (c counted) Enabled(_ context.Context, l slog.Level) bool {
	c.calls.Add(1)
	return l > slog.LevelDebug
}
func (c counted) Handle(context.Context, slog.Record) error { c.calls.Add(1); return nil }
func (c counted) WithAttrs([]slog.Attr) slog.Handler        { return c }
func (c counted) WithGroup(string) slog.Handler             { return c }

// If the logger discards debug records, sending and receiving do not call it and do not allocate for it.
func TestLogOffCostsNothing(t *testing.T) {
	var calls atomic.Int64
	e := newBench(t, Config{Logger: slog.New(counted{&calls})})
	made := calls.Load()
	c, buf := e.dial(), make([]byte, 0, 2048)
	c.feed(buf, upgradeRequest(""))
	s, f, in := e.session(), eio.NewMessage([]byte("x")), textFrame("4x")
	if n := testing.AllocsPerRun(200, func() { s.Send(f, false) }); n != 0 {
		t.Errorf("%v allocations for a packet out", n)
	}
	if n := testing.AllocsPerRun(200, func() { c.feed(buf, in) }); n != 0 {
		t.Errorf("%v allocations for a packet in", n)
	}
	s.Close(ReasonForcedClose)
	if calls.Load() != made || made > 1 {
		t.Errorf("%d calls of the logger, %d of them by New", calls.Load(), made)
	}
}
