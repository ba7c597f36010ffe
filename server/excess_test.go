package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

const rateLimited = `{"error":"rate limited"}`

// limited runs a test with a server that has limits, in a bubble. The handlers of "e" and "bytes" note what came.
func limited(t *testing.T, l server.Limits, cfg server.Config, test func(ts *servertest.Server, got func() string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Limits = l
		ts := servertest.New(t, cfg)
		var got []string
		for _, name := range []string{"e", "bytes"} {
			ts.Of("/").On(name, func(_ context.Context, m *server.Message) {
				got = append(got, fmt.Sprintf("%s/%d", m.Event(), m.Len()))
				_ = m.Ack("ok")
			})
		}
		test(ts, func() string {
			out := strings.Join(got, " ")
			got = nil
			return out
		})
	})
}

// transports are the ways of a client to the server.
var transports = map[string][]servertest.Option{
	"polling": {servertest.Transport(server.Polling)}, "WebSocket": nil, "upgrade": {servertest.Upgrade()},
}

// An event in excess reaches no handler. Its acknowledgement says why, others are not answered; a second later there is
// room again.
func TestEventsInExcess(t *testing.T) {
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			limited(t, server.Limits{EventsPerSecond: 3}, server.Config{}, func(ts *servertest.Server, got func() string) {
				c := ts.Client(opts...)
				ts.Advance(time.Second) // CONNECT was one
				for i := range 5 {
					reply := c.EmitAck("e", 1)
					want := `"ok"`
					if i >= 3 {
						want = rateLimited
					}
					if text := string(reply.Args[0].JSON); text != want {
						t.Errorf("reply %d: %s", i, text)
					}
				}
				c.Emit("e", 1, 2)
				c.ExpectNothing()
				if g := got(); g != "e/1 e/1 e/1" {
					t.Errorf("handled %s", g)
				}
				ts.Advance(time.Second)
				c.Emit("e", 1, 2)
				if g := got(); g != "e/2" {
					t.Errorf("handled %s a second later", g)
				}
				if s := ts.Stats().Sessions; s.OverEvents != 3 || s.OverBytes != 0 {
					t.Errorf("counted %d events, %d for bytes", s.OverEvents, s.OverBytes)
				}
			})
		})
	}
}

// All attachments of an event count with their bytes. An event whose parts exceed the limit is dropped as a whole,
// once; the next one is handled.
func TestAttachmentsInExcess(t *testing.T) {
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			limited(t, server.Limits{BytesPerSecond: 1000}, server.Config{}, func(ts *servertest.Server, got func() string) {
				c := ts.Client(opts...)
				ts.Advance(time.Second)
				part := func() []byte { return make([]byte, 290) } // the same one would be sent once
				if text := string(c.EmitAck("bytes", part(), part(), part()).Args[0].JSON); text != `"ok"` {
					t.Errorf("870 bytes: %s", text)
				}
				ts.Advance(time.Second)
				for range 2 { // the first two parts of the first event are taken; the second event has no room at all
					if text := string(c.EmitAck("bytes", part(), part(), part(), part()).Args[0].JSON); text != rateLimited {
						t.Errorf("1,160 bytes: %s", text)
					}
				}
				ts.Advance(time.Second)
				c.Emit("bytes", part())
				c.Emit("e")
				if g := got(); g != "bytes/3 bytes/1 e/0" {
					t.Errorf("handled %s", g)
				}
				if s := ts.Stats().Sessions; s.OverBytes != 2 || s.OverEvents != 0 {
					t.Errorf("counted %d for bytes, %d events", s.OverBytes, s.OverEvents)
				}
			})
		})
	}
}

// A request to join a namespace counts as an event, and gets an answer in excess. The connection stays.
func TestConnectsInExcess(t *testing.T) {
	limited(t, server.Limits{EventsPerSecond: 2}, server.Config{}, func(ts *servertest.Server, got func() string) {
		connects := 0
		for _, name := range []string{"/a", "/b"} {
			ts.Of(name).OnConnect(func(context.Context, *server.Socket) error { connects++; return nil })
		}
		c := ts.Client()
		a, b := c.Of("/a", nil), c.Of("/b", nil)
		if r := b.Refused(); !a.Connected() || r == nil || r.Message != "rate limited" {
			t.Errorf("/a connected %v, /b refused %+v", a.Connected(), r)
		}
		c.Emit("e")
		a.Emit("x")
		c.SendRaw("4" + `2/b,7["x"]`) // for a namespace that it has not joined
		ts.Advance(time.Second)
		if b = c.Of("/b", nil); !b.Connected() || connects != 2 {
			t.Errorf("/b connected %v, %d handlers have run", b.Connected(), connects)
		}
		c.Emit("e")
		if g := got(); g != "e/0" {
			t.Errorf("handled %s", g)
		}
		if s := ts.Stats().Sessions; s.OverEvents != 4 {
			t.Errorf("counted %d", s.OverEvents)
		}
	})
}

// Acknowledgements and the end of a namespace are handled in excess, because the server waits for them.
func TestAnswersInExcess(t *testing.T) {
	limited(t, server.Limits{EventsPerSecond: 1, BytesPerSecond: 20}, server.Config{}, func(ts *servertest.Server, _ func() string) {
		left := 0
		ts.Of("/").OnDisconnect(func(*server.Socket, server.Reason) { left++ })
		c := ts.Client()
		c.On("q", func(servertest.Event) []any { return []any{strings.Repeat("x", 100)} })
		replies := 0
		for range 5 {
			err := c.Socket().EmitAck(context.Background(), "q", func(r server.Reply, err error) {
				if err == nil && r.Len() == 1 {
					replies++
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			ts.Advance(0)
		}
		c.Emit("e")
		c.Disconnect()
		if replies != 5 || left != 1 {
			t.Errorf("%d replies, %d have left", replies, left)
		}
		if s := ts.Stats().Sessions; s.OverEvents+s.OverBytes != 1 {
			t.Errorf("counted %d events, %d for bytes", s.OverEvents, s.OverBytes)
		}
	})
}

// A client that floods is disconnected with a reason of its own, and its address is refused for a while. With recovery
// it then comes back as the same socket.
func TestFloodIsRateLimited(t *testing.T) {
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			cfg := server.Config{Recovery: server.Recovery{MaxDisconnection: time.Minute}}
			limited(t, server.Limits{EventsPerSecond: 5}, cfg, func(ts *servertest.Server, _ func() string) {
				var reasons []server.Reason
				var causes []error
				ts.Of("/").OnDisconnect(func(s *server.Socket, r server.Reason) {
					reasons = append(reasons, r)
					causes = append(causes, context.Cause(s.Context()))
				})
				c := ts.Client(opts...)
				bystander := ts.Client()
				begin := ts.Now()
				for c.Connected() && ts.Now() < begin+time.Minute {
					for i := 0; i < 10 && c.Connected(); i++ {
						c.Emit("e")
					}
					ts.Advance(100 * time.Millisecond)
				}
				if lasted := ts.Now() - begin; lasted < 5*time.Second || lasted > 6*time.Second {
					t.Errorf("disconnected after %v", lasted)
				}
				if !slices.Equal(reasons, []server.Reason{server.ReasonRateLimited}) || !errors.Is(causes[0], server.ReasonRateLimited) ||
					reasons[0].String() != "rate limited" {
					t.Errorf("reasons %v, causes %v", reasons, causes)
				}
				if r := c.DisconnectReason(); r != "transport close" && name != "polling" {
					t.Errorf("the client sees %q", r)
				}
				again := c.Reconnect()
				if r := again.Refused(); r == nil || r.Status != http.StatusTooManyRequests {
					t.Errorf("refused %+v", r)
				}
				if other := ts.Client(servertest.Address("203.0.113.9")); !other.Connected() || !bystander.Connected() {
					t.Error("others are concerned")
				}
				ts.Advance(5 * time.Second)
				if again = c.Reconnect(); !again.Connected() || !again.Recovered() {
					t.Errorf("connected %v, recovered %v", again.Connected(), again.Recovered())
				}
			})
		})
	}
}

// A client of protocol 3 is limited in the same way.
func TestLimitsOfProtocol3(t *testing.T) {
	cfg := server.Config{AllowEIO3: true, Limits: server.Limits{EventsPerSecond: 3}}
	srv := start(t, cfg, func(srv *server.Server) {
		srv.Of("/").On("e", func(_ context.Context, m *server.Message) { _ = m.Ack() }, server.Inline())
	})
	c, _ := joined3(t, srv)
	c.send(`21["e"]`, `22["e"]`, `23["e"]`, `24["e"]`)
	answers := []string{c.next().text, c.next().text, c.next().text, c.next().text} // a refusal waits for no handler
	slices.Sort(answers)
	if got := strings.Join(answers, " "); got != "31[] 32[] 33[] 34["+rateLimited+"]" {
		t.Errorf("answers %s", got)
	}
	c.send("0/nowhere")
	c.expect(`4/nowhere,"rate limited"`)
}

// At a limit of connections the answers are 429 and 503, on all listeners and in a program's own HTTP server; other
// pages and health checks are served.
func TestConnectionLimits(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	for name, c := range map[string]struct {
		limits   server.Limits
		sessions int
		status   int
		count    func(s server.Stats) uint64
	}{
		"of an address": {server.Limits{ConnectionsPerAddress: 2}, 0, 429, func(s server.Stats) uint64 { return s.Sessions.OverAddress }},
		"a second":      {server.Limits{AcceptsPerSecond: 2}, 0, 503, func(s server.Stats) uint64 { return s.Sessions.OverAccepts }},
		"in total":      {server.Limits{}, 2, 503, func(s server.Stats) uint64 { return s.Sessions.TurnedAway }},
	} {
		for _, kind := range []string{"listener", "handler"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				cfg := server.Config{Limits: c.limits, MaxSessions: c.sessions, Fallback: mux, HealthPath: "/healthz", AllowEIO3: true}
				var base string
				var srv *server.Server
				if kind == "listener" {
					srv = start(t, cfg, nil)
					base = "http://" + srv.Addr().String()
				} else {
					h := hosted(t, "tcp", cfg, nil)
					srv, base = h.srv, h.http.URL
				}
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
				get := func(path string, fields ...string) *http.Response {
					t.Helper()
					req, err := http.NewRequest(http.MethodGet, base+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					for i := 0; i+1 < len(fields); i += 2 {
						req.Header.Set(fields[i], fields[i+1])
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					_ = resp.Body.Close()
					return resp
				}
				const polling = "/socket.io/?EIO=4&transport=polling"
				upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
					"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
				for range 2 {
					if resp := get(polling); resp.StatusCode != 200 {
						t.Fatal(resp.Status)
					}
				}
				for i, path := range []string{polling, strings.Replace(polling, "EIO=4", "EIO=3", 1), strings.Replace(polling, "polling", "websocket", 1)} {
					var fields []string
					if i == 2 {
						fields = upgrade
					}
					// Half a second later there is room for another one of a second.
					eventually(t, "a refusal", func() bool {
						resp := get(path, fields...)
						if resp.StatusCode != c.status {
							return false
						}
						if after := resp.Header.Get("Retry-After"); len(after) != 1 || after < "1" || after > "5" {
							t.Errorf("%s: Retry-After %q", path, after)
						}
						return true
					})
				}
				if health, page := get("/healthz").StatusCode, get("/page").StatusCode; health != 200 || page != 200 {
					t.Errorf("/healthz %d, /page %d", health, page)
				}
				if n := c.count(srv.Stats()); n < 3 {
					t.Errorf("counted %d", n)
				}
			})
		}
	}
}

// New limits are checked, and hold at once.
func TestSetLimits(t *testing.T) {
	limited(t, server.Limits{}, server.Config{}, func(ts *servertest.Server, got func() string) {
		c := ts.Client()
		for _, l := range []server.Limits{{EventsPerSecond: -1}, {Excess: time.Microsecond}} {
			if err := ts.SetLimits(l); err == nil || !strings.Contains(err.Error(), "Config.Limits.") {
				t.Errorf("%+v: %v", l, err)
			}
		}
		if err := errors.Join(ts.SetLimits(server.Limits{EventsPerSecond: 1}), ts.SetMaxSessions(1)); err != nil {
			t.Fatal(err)
		}
		c.Emit("e")
		c.Emit("e")
		if g := got(); g != "e/0" {
			t.Errorf("handled %s", g)
		}
		if r := ts.Client().Refused(); r == nil || r.Status != http.StatusServiceUnavailable {
			t.Errorf("refused %+v", r)
		}
		if err := ts.SetMaxSessions(-1); err == nil || !strings.Contains(err.Error(), "MaxSessions") {
			t.Error(err)
		}
	})
}
