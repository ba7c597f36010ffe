package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// waitPosted waits until another goroutine has posted to a loop.
func (r *rig) waitPosted(loop int) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); r.loops[loop].Posted() == 0; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("nothing was posted")
		}
	}
	r.run()
}

func TestAllow(t *testing.T) {
	cfg := Config{CORS: CORS{Origins: []string{"*"}}, Allow: func(_ context.Context, h *Handshake) error {
		switch h.Header("X-Reject") {
		case "":
			return nil
		case "default":
			return errors.New("not for the client")
		case "panic":
			panic("hook")
		}
		return Refusal(h.Header("x-reject"))
	}}
	for _, c := range []struct {
		name, field, request string
		status               int
		body                 string
	}{
		{"polling", "", "polling", 200, ""},
		{"default", "X-Reject: default", "polling", 403, `{"code":4,"message":"Forbidden"}`},
		{"message", "X-Reject: go \"away\"", "polling", 403, `{"code":4,"message":"go \"away\""}`},
		{"panic", "X-Reject: panic", "polling", 403, `{"code":4,"message":"Forbidden"}`},
		{"hook before version", "X-Reject: default", "polling&EIO=3", 403, `{"code":4,"message":"Forbidden"}`},
		{"the code's own message", "X-Reject: " + Refusal("default").Error(), "polling", 403, `{"code":4,"message":"Forbidden"}`},
		{"websocket refused", "X-Reject: no", "websocket", 403, `{"code":4,"message":"no"}`},
		{"websocket", "", "websocket", 101, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 1, cfg)
			text := request("GET", base+c.request, "", "X-Other: 1")
			if c.request == "websocket" {
				text = upgradeRequest("", "X-Other: 1")
			}
			if c.field != "" {
				text = strings.Replace(text, "X-Other: 1", c.field, 1)
			}
			// What is pipelined behind waits for the hook.
			behind := request("GET", "/other", "")
			if c.status == 101 {
				behind = textFrame("4early")
			}
			p := r.dial(0)
			p.conn.Feed([]byte(text + behind))
			r.waitPosted(0)
			a := p.answer()
			if a == nil || a.StatusCode != c.status || (c.body != "" && a.body != c.body) || a.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Fatalf("%v", a)
			}
			switch {
			case c.status == 101:
				r.last().wantGot("early")
			case c.request == "websocket":
				if !a.Close || !p.isClosed() {
					t.Error("a refused WebSocket stays")
				}
			default:
				p.want(404, "not ours: /other")
			}
			if want := c.name == "panic"; (r.engine.Stats().HookPanics == 1) != want {
				t.Errorf("%d panics counted", r.engine.Stats().HookPanics)
			}
			p.cut()
		})
	}
}

func TestAllowConnectionGone(t *testing.T) {
	done := make(chan struct{})
	r := newRig(t, 1, Config{Allow: func(ctx context.Context, _ *Handshake) error {
		defer close(done)
		<-ctx.Done() // would block for ever if nobody told
		return nil
	}})
	p := r.dial(0).write(request("GET", base+"polling", ""))
	p.wantNothing()
	p.conn.PeerClose(io.EOF) // and not cut, which may run the hook's answer before it is waited for
	<-done
	r.waitPosted(0)
	if len(r.clients) != 0 {
		t.Fatal("a session was opened for nobody")
	}
	r.wantEmpty()
}

// Handshakes that hooks have are bounded, whether their clients stay or not.
func TestAllowIsBounded(t *testing.T) {
	release := make(chan struct{})
	var log strings.Builder
	r := newRig(t, 1, Config{
		MaxHandshakes: 2, Allow: func(context.Context, *Handshake) error { <-release; return nil },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	first := r.dial(0).write(request("GET", base+"polling", ""))
	r.dial(0).write(request("GET", base+"polling", "")).conn.PeerClose(io.EOF)
	r.dial(0).write(request("GET", base+"polling", "")).want(503, "Too many handshakes")
	if n := r.engine.Stats().TurnedAway; n != 1 {
		t.Errorf("%d turned away", n)
	}
	if text := log.String(); !strings.Contains(text, "setting=MaxHandshakes limit=2") {
		t.Errorf("the log says\n%s", text)
	}
	close(release)
	for first.conn.FrameCount() == 0 {
		r.waitPosted(0)
	}
	for r.engine.hooksRunning.Load() != 0 {
		time.Sleep(100 * time.Microsecond)
	}
	if a := first.answer(); a == nil || a.StatusCode != 200 {
		t.Errorf("%v", a)
	}
	r.run()
}

// A handshake that is being asked about when the engine closes must not open a session that nobody ends.
func TestAllowEngineClosing(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, 1, Config{Allow: func(context.Context, *Handshake) error { <-release; return nil }})
	p := r.dial(0).write(request("GET", base+"polling", ""))
	w := r.dial(0).write(upgradeRequest(""))
	r.engine.Close(ReasonServerShutdown)
	r.run()
	close(release)
	r.waitPosted(0)
	for w.conn.FrameCount() == 0 || p.conn.FrameCount() == 0 {
		r.waitPosted(0)
	}
	p.want(503, "Server shutting down")
	w.want(503, "Server shutting down")
	if !p.isClosed() || !w.isClosed() {
		t.Error("connections stay")
	}
	r.wantEmpty()
}
