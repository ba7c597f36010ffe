package session

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// upgraded sends an opening handshake with fields and returns the answer: of a new session when sid is empty.
func (r *rig) upgraded(loop int, sid string, fields ...string) (*peer, *response) {
	r.t.Helper()
	p := r.dial(loop)
	if sid == "" && r.engine.hasHooks {
		p = p.asked(loop, upgradeRequest(sid, fields...))
	} else {
		p.write(upgradeRequest(sid, fields...))
	}
	a := p.answer()
	if a == nil {
		r.t.Fatalf("%q: no answer", fields)
	}
	return p, a
}

// A client that offers subprotocols gets the first one of them, or the one that the hook chooses, at a handshake and
// when a session is upgraded.
func TestSubprotocols(t *testing.T) {
	var seen []string
	hook := func(h *Handshake, offered []string) string {
		seen = append(seen, fmt.Sprintf("%s %q", h.Header("X-Want"), offered))
		if h.Header("X-Want") == "panic" {
			panic("hook")
		}
		return h.Header("X-Want")
	}
	for _, c := range []struct {
		name   string
		fields []string
		hook   bool
		want   string // "-" is none
		seen   string
		panics uint64
		logged bool
	}{
		{"none offered", nil, false, "-", "[]", 0, false},
		{"one", []string{"chat.v1"}, false, "chat.v1", "[]", 0, false},
		{"two", []string{"b, a"}, false, "b", "[]", 0, false},
		{"two fields", []string{"b", "a, c"}, false, "b", "[]", 0, false},
		{"none offered to the hook", nil, true, "-", "[]", 0, false},
		{"the hook's", []string{"b, a", "X-Want: a"}, true, "a", `[a ["b" "a"]]`, 0, false},
		{"none", []string{"b, a"}, true, "-", `[ ["b" "a"]]`, 0, false},
		{"not offered", []string{"b, a", "X-Want: B"}, true, "-", `[B ["b" "a"]]`, 0, true},
		{"a panic", []string{"b", "X-Want: panic"}, true, "-", `[panic ["b"]]`, 1, true},
	} {
		for _, allow := range []bool{false, true} {
			both(t, func(t *testing.T, loop int) {
				seen = nil
				var log strings.Builder
				cfg := Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), CORS: CORS{Origins: []string{"*"}}}
				if c.hook {
					cfg.SelectProtocol = hook
				}
				r := newRig(t, 2, cfg)
				sid := r.poll(0)
				if loop == 0 {
					sid = ""
				}
				if allow {
					r.engine.cfg.Allow, r.engine.hasHooks = func(context.Context, *Handshake) error { return nil }, true
				}
				var fields []string
				for _, f := range c.fields {
					if !strings.HasPrefix(f, "X-") {
						f = "Sec-WebSocket-Protocol: " + f
					}
					fields = append(fields, f)
				}
				p, a := r.upgraded(loop, sid, fields...)
				want := []string{c.want}
				if c.want == "-" {
					want = nil
				}
				if got := a.Header["Sec-Websocket-Protocol"]; a.StatusCode != 101 || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: %v %q", c.name, a, got)
				}
				if a.Header.Get("Access-Control-Allow-Origin") != "*" || fmt.Sprint(seen) != c.seen {
					t.Errorf("%s: %v, asked %s", c.name, a.Header, seen)
				}
				if n := r.engine.Stats().HookPanics; n != c.panics || strings.Contains(log.String(), "SelectProtocol") != c.logged {
					t.Errorf("%s: %d panics, log %s", c.name, n, log.String())
				}
				// Nothing else is different.
				if sid == "" {
					parseOpen(t, p.message())
				} else {
					p.text("2probe").text("5").wantFrames("t:3probe")
				}
				p.text("4x")
				r.last().wantGot("x")
			})
		}
	}
}

// A malformed offer is no opening handshake.
func TestMalformedSubprotocols(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, offer := range []string{"", "a,,b", "a b", "a, a", "a,", `"a"`, "a;q=1", "a\r\nSec-WebSocket-Protocol: b, a"} {
			r := newRig(t, 2, Config{SelectProtocol: func(*Handshake, []string) string {
				t.Errorf("%q: the hook was asked", offer)
				return ""
			}})
			for _, sid := range []string{"", r.poll(0)} {
				p, a := r.upgraded(loop, sid, "Sec-WebSocket-Protocol: "+offer)
				if a.StatusCode != 400 || !a.Close || !p.isClosed() {
					t.Errorf("%q, session %q: %v", offer, sid, a)
				}
			}
		}
	})
	// Elsewhere the field means nothing.
	r := newRig(t, 1, Config{})
	if a := r.dial(0).write(request("GET", base+"polling", "", "Sec-WebSocket-Protocol: a,,b")).answer(); a.StatusCode != 200 || a.Header.Get("Sec-Websocket-Protocol") != "" {
		t.Error(a)
	}
}
