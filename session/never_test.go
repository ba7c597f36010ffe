package session

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
)

// never is the longest Duration, which programs write for "no limit".
const never = time.Duration(math.MaxInt64)

// aWhile is longer than every default, and shorter than the longest heartbeat that a client can be told.
const aWhile = 5 * 24 * time.Hour

// waitings are the settings that are times, and what waits for each: begin makes it wait, and over reports whether the
// wait has ended.
var waitings = map[string]struct {
	config Config
	begin  func(r *rig) (over func() bool)
}{
	"PingInterval": {begin: func(r *rig) func() bool {
		p := r.openWS(0, "")
		return func() bool { return len(p.pull()) > 0 }
	}},
	"PingTimeout": {config: Config{PingInterval: time.Second}, begin: func(r *rig) func() bool {
		r.openWS(0, "")
		r.leap(2*time.Second, time.Second) // the ping is on its way
		return func() bool { return len(r.last().closed) > 0 }
	}},
	"UpgradeTimeout": {config: Config{PingInterval: 2 * aWhile}, begin: func(r *rig) func() bool {
		sid := r.poll(0)
		p := r.dial(0).write(upgradeRequest(sid))
		p.answer()
		return func() bool { return p.isClosed() || len(p.pull()) > 0 }
	}},
	"CloseTimeout": {config: Config{PingTimeout: 2 * aWhile}, begin: func(r *rig) func() bool {
		sid := r.poll(0)
		r.loops[0].Do(func() {
			r.last().send(message(3), false)
			r.last().s.Close(ReasonServerLeft)
		})
		return func() bool { return r.engine.shards[0].find(sid) == nil }
	}},
	"HeaderTimeout": {begin: func(r *rig) func() bool {
		fresh, half := r.dial(0), r.dial(0)
		if !r.engine.cfg.ProxyProtocol {
			half.write("GET /engine")
		}
		return func() bool { return fresh.isClosed() || half.isClosed() || len(half.pull()) > 0 }
	}},
	"BodyTimeout": {begin: func(r *rig) func() bool {
		p := r.dial(0).write("POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n4")
		return func() bool { return p.isClosed() || len(p.pull()) > 0 }
	}},
	"IdleTimeout": {begin: func(r *rig) func() bool {
		p := r.dial(0).write(request("GET", "/other", ""))
		p.answer()
		return p.isClosed
	}},
	"Limits.Excess": {config: Config{Limits: Limits{EventsPerSecond: 1}, PingInterval: 2 * aWhile}, begin: func(r *rig) func() bool {
		p := r.openWS(0, "")
		return func() bool { p.burst(10, "4x"); return p.isClosed() }
	}},
	"Limits.RefuseTime": {config: Config{Limits: Limits{EventsPerSecond: 1, Excess: time.Millisecond}, PingInterval: 2 * aWhile},
		begin: func(r *rig) func() bool {
			p := r.openWS(0, "")
			p.burst(10, "4x")
			r.advance(100 * time.Millisecond)
			p.burst(10, "4x")
			return func() bool {
				return r.dial(0).write(request("GET", base+"polling", "")).answer().StatusCode != statusTooMany
			}
		}},
	"Cookie.MaxAge": {config: Config{Cookie: Cookie{Name: "io"}}, begin: func(r *rig) func() bool {
		field := r.dial(0).write(request("GET", base+"polling", "")).answer().Header.Get("Set-Cookie")
		return func() bool { return !strings.Contains(field, "; Max-Age=9223372036;") }
	}},
	"CORS.MaxAge": {config: Config{CORS: CORS{Origins: []string{"*"}}}, begin: func(r *rig) func() bool {
		a := r.dial(0).write(request("OPTIONS", base+"polling", "", "Origin: http://a", "Access-Control-Request-Method: GET")).answer()
		return func() bool { return a.Header.Get("Access-Control-Max-Age") != "9223372036" }
	}},
}

// The longest Duration means "never" for each time of Config, also when the other times have their defaults.
func TestLongestDurationIsNever(t *testing.T) {
	for name := range pollertest.Durations(&Config{}) {
		t.Run(name, func(t *testing.T) {
			w, ok := waitings[name]
			if !ok {
				t.Fatal("waitings lacks this setting: say what waits for it")
			}
			for _, proxied := range []bool{false, true} {
				if proxied && name != "HeaderTimeout" {
					continue
				}
				cfg := w.config
				cfg.ProxyProtocol = proxied
				*pollertest.Durations(&cfg)[name] = never
				r := newRig(t, 1, cfg)
				r.leap(time.Hour, time.Hour) // a clock at zero would hide overflows
				over := w.begin(r)
				r.leap(aWhile, time.Hour)
				if over() {
					t.Errorf("over within %v (ProxyProtocol %v)", aWhile, proxied)
				}
			}
		})
	}
}

// A closing session waits for its last GET when all times are "never".
func TestNeverTogether(t *testing.T) {
	var cfg Config
	for name, d := range pollertest.Durations(&cfg) {
		if !strings.HasSuffix(name, "MaxAge") {
			*d = never
		}
	}
	for name, w := range waitings {
		// These wait only with a config of their own.
		if strings.HasSuffix(name, "MaxAge") || strings.HasPrefix(name, "Limits.") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, cfg)
			r.leap(time.Hour, time.Hour)
			over := w.begin(r)
			r.leap(aWhile, time.Hour)
			if over() {
				t.Errorf("over within %v", aWhile)
			}
		})
	}
}

// What the open packet says fits the timer of a JavaScript client, which adds both numbers, and the server pings within
// the interval that it says.
func TestAnnouncedHeartbeat(t *testing.T) {
	const longest = math.MaxInt32
	for _, c := range []struct {
		interval, timeout         time.Duration
		wantInterval, wantTimeout int
	}{
		{0, 0, 25_000, 20_000},
		{never, 0, longest - 20_000, 20_000},
		{0, never, 25_000, longest - 25_000},
		{never, never, longest / 2, longest / 2},
		{announceMax, 10 * time.Second, longest - 10_000, 10_000},
		{announceMax - time.Second, time.Second, longest - 1000, 1000},
		{announceMax, announceMax, longest / 2, longest / 2},
	} {
		for _, tuned := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v and %v, tuned %v", c.interval, c.timeout, tuned), func(t *testing.T) {
				cfg := Config{PingInterval: c.interval, PingTimeout: c.timeout}
				if tuned {
					set := cfg
					cfg = Config{Tune: func(_ *Handshake, t *Tuning) {
						t.PingInterval = cmp.Or(set.PingInterval, t.PingInterval)
						t.PingTimeout = cmp.Or(set.PingTimeout, t.PingTimeout)
					}}
				}
				r := newRig(t, 1, cfg)
				p := r.dial(0)
				if tuned {
					p.asked(0, upgradeRequest(""))
				} else {
					p.write(upgradeRequest(""))
				}
				p.answer()
				o := parseOpen(t, p.message())
				if o.PingInterval != c.wantInterval || o.PingTimeout != c.wantTimeout || o.PingInterval+o.PingTimeout > longest {
					t.Errorf("announced %d and %d, want %d and %d", o.PingInterval, o.PingTimeout, c.wantInterval, c.wantTimeout)
				}
				ping := time.Duration(o.PingInterval) * time.Millisecond
				r.leap(ping-time.Millisecond, ping)
				p.wantNothing()
				r.leap(200*time.Millisecond, 100*time.Millisecond)
				p.wantFrames("t:2")
			})
		}
	}
}

// A session's heartbeat can be set to "never": the client is pinged as often as it was told.
func TestRetuneToNever(t *testing.T) {
	for _, c := range []struct {
		config Config
		wrong  bool
	}{{Config{}, true}, {Config{PingInterval: never}, false}, {Config{PingInterval: never, PingTimeout: never}, false}} {
		r := newRig(t, 1, c.config)
		r.openWS(0, "")
		s := r.last().s
		err := s.Retune(func(t *Tuning) { t.PingInterval = never })
		if (err != nil) != c.wrong {
			t.Errorf("%v: %v", c.config.PingInterval, err)
		}
		if err := s.Retune(func(t *Tuning) { t.PingTimeout = never }); err != nil {
			t.Error(err)
		}
		r.leap(aWhile, time.Second*20)
		if len(r.last().closed) > 0 && c.config.PingInterval == never {
			t.Errorf("%v: over", c.config.PingInterval)
		}
	}
}
