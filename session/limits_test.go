package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/session/limit"
)

// handshakes are the requests that ask for a session.
var handshakes = map[string]string{
	"polling":            request("GET", base+"polling", ""),
	"WebSocket":          upgradeRequest(""),
	"polling, EIO 3":     in3(request("GET", base+"polling", ""), ""),
	"WebSocket, EIO 3":   in3(upgradeRequest(""), ""),
	"JSONP, EIO 3":       in3(request("GET", base+"polling&j=1", ""), ""),
	"polling, with CORS": request("GET", base+"polling", "", "Origin: http://a"),
}

var anyProtocol = Config{AllowEIO3: true, CORS: CORS{Origins: []string{"http://a"}}}

// from returns a client of that address.
func (r *rig) from(addr string) *peer {
	return r.dialFrom(Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 1234)})
}

// wantRefused checks the answer to a refused handshake, after which the connection closes. Retry-After is from 1 to 5.
func (p *peer) wantRefused(status int, why string) {
	p.rig.t.Helper()
	a := p.want(status, why)
	after, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || after < 1 || after > 5 || !a.Close || !p.isClosed() {
		p.rig.t.Errorf("Retry-After %q, Connection %q, closed %v", a.Header.Get("Retry-After"), a.Header.Get("Connection"), p.isClosed())
	}
}

const (
	tooMany = "Too many connections from this address"
	tooFast = "Too many connections at once"
)

// wantOpened checks that the handshake has opened a session.
func (p *peer) wantOpened() *peer {
	p.rig.t.Helper()
	if a := p.answer(); a == nil || a.StatusCode != 200 && a.StatusCode != 101 {
		p.rig.t.Fatalf("refused: %v", a)
	}
	return p
}

// An address has a number of sessions, whatever they are carried by; a further handshake gets 429, until one ends.
// Requests of sessions, upgrades and other paths are served all the same.
func TestConnectionsPerAddress(t *testing.T) {
	cfg := anyProtocol
	cfg.Limits.ConnectionsPerAddress = len(handshakes)
	r := newRig(t, 1, cfg)
	var first *peer
	for _, text := range handshakes {
		first = r.from("203.0.113.9").write(text).wantOpened()
	}
	last := r.last().s
	for name, text := range handshakes {
		p := r.from("203.0.113.9").write(text)
		a := p.answer()
		if a == nil || a.StatusCode != 429 || a.body != tooMany || a.Header.Get("Retry-After") == "" || !p.isClosed() {
			t.Errorf("%s: %v", name, a)
		}
		if strings.Contains(text, "Origin") && a.Header.Get("Access-Control-Allow-Origin") != "http://a" {
			t.Errorf("%s: pages cannot read the answer", name)
		}
	}
	if n := r.engine.Stats(); n.OverAddress != uint64(len(handshakes)) || n.Open != uint64(len(handshakes)) || n.TurnedAway != 0 {
		t.Errorf("counted %+v", n)
	}
	r.from("203.0.113.9").write(request("GET", "/other", "")).want(404, "not ours: /other")
	r.from("203.0.113.10").write(handshakes["polling"]).wantOpened()
	r.loops[0].Do(func() { last.Close(ReasonForcedClose) })
	first.cut()
	r.advance(time.Minute) // a polling session waits for its last GET
	r.from("203.0.113.9").write(handshakes["polling"]).wantOpened()
}

// A session's address stays counted through an upgrade, and is free when the session has ended.
func TestAddressOfUpgrade(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{Limits: Limits{ConnectionsPerAddress: 1}})
		sid := r.poll(0)
		p := r.openWS(loop, sid).text("2probe").text("5")
		r.dial(0).write(handshakes["polling"]).wantRefused(429, tooMany)
		p.cut()
		r.last().wantClosed(ReasonTransportClose)
		r.dial(0).write(handshakes["polling"]).wantOpened()
	})
}

// Clients are told apart by the address that the server resolves.
func TestAddressOfLimits(t *testing.T) {
	v6 := func(host string) netip.AddrPort { return netip.MustParseAddrPort("[" + host + "]:1") }
	near := prefixes("192.0.2.0/24")
	for name, c := range map[string]struct {
		trusted []netip.Prefix
		a, b    Peer
		fields  [2]string
		same    bool
	}{
		"one network of IPv6":  {a: Peer{Addr: v6("2001:db8::1")}, b: Peer{Addr: v6("2001:db8::2:3")}, same: true},
		"two networks of IPv6": {a: Peer{Addr: v6("2001:db8::1")}, b: Peer{Addr: v6("2001:db8:0:1::1")}},
		"mapped IPv4":          {a: Peer{Addr: v6("::ffff:203.0.113.9")}, b: Peer{Addr: netip.MustParseAddrPort("203.0.113.9:5")}, same: true},
		"unix sockets":         {},
		"behind a proxy": {near, Peer{Addr: netip.MustParseAddrPort("192.0.2.1:1")}, Peer{Addr: netip.MustParseAddrPort("192.0.2.1:1")},
			[2]string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.10"}, false},
		"behind two proxies": {near, Peer{Addr: netip.MustParseAddrPort("192.0.2.1:1")}, Peer{Addr: netip.MustParseAddrPort("192.0.2.2:1")},
			[2]string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 8.8.8.8, 203.0.113.9"}, true},
		"claims that nobody trusts": {nil, Peer{Addr: netip.MustParseAddrPort("192.0.2.1:1")}, Peer{Addr: netip.MustParseAddrPort("192.0.2.1:1")},
			[2]string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.10"}, true},
		"a proxy on a unix socket": {near, Peer{}, Peer{}, [2]string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.9"}, true},
	} {
		r := newRig(t, 1, Config{TrustedProxies: c.trusted, Limits: Limits{ConnectionsPerAddress: 1}})
		ask := func(p Peer, field string) *peer {
			if field == "" {
				field = "X-Other: 1"
			}
			return r.dialFrom(p).write(request("GET", base+"polling", "", field))
		}
		ask(c.a, c.fields[0]).wantOpened()
		status := 200
		if c.same {
			status = 429
		}
		if a := ask(c.b, c.fields[1]).answer(); a.StatusCode != status {
			t.Errorf("%s: %v, want %d", name, a, status)
		}
	}
}

// The address in a PROXY header counts.
func TestAddressOfProxyHeader(t *testing.T) {
	r := newRig(t, 1, Config{ProxyProtocol: true, Limits: Limits{ConnectionsPerAddress: 1}})
	ask := func(source string) *peer {
		return r.dial(0).write("PROXY TCP4 " + source + " 192.0.2.7 1 2\r\n" + handshakes["polling"])
	}
	ask("203.0.113.9").wantOpened()
	ask("203.0.113.10").wantOpened()
	ask("203.0.113.9").wantRefused(429, tooMany)
}

// A handshake that opens no session takes nothing of its address's number.
func TestAddressOfFailedHandshakes(t *testing.T) {
	release := make(chan struct{})
	hooks := Config{Allow: func(_ context.Context, h *Handshake) error {
		switch h.Header("X-Test") {
		case "refuse":
			return errors.New("no")
		case "wait":
			<-release
		case "panic":
			panic("no")
		}
		return nil
	}, GenerateID: func(h *Handshake) string { return h.Header("X-ID") }, MaxHandshakes: 1}
	for name, c := range map[string]struct {
		cfg  Config
		fail func(r *rig)
	}{
		"unsupported": {Config{}, func(r *rig) { r.dial(0).write(in3(handshakes["polling"], "")) }},
		"refused":     {hooks, func(r *rig) { r.dial(0).asked(0, request("GET", base+"polling", "", "X-Test: refuse")) }},
		"panics":      {hooks, func(r *rig) { r.dial(0).asked(0, request("GET", base+"polling", "", "X-Test: panic")) }},
		"bad id":      {hooks, func(r *rig) { r.dial(0).asked(0, request("GET", base+"polling", "", "X-ID: short")) }},
		"no more room": {Config{MaxSessions: 1}, func(r *rig) {
			r.from("203.0.113.1").write(handshakes["polling"])
			r.dial(0).write(handshakes["polling"])
		}},
		"too fast": {Config{Limits: Limits{AcceptsPerSecond: 1}}, func(r *rig) {
			r.from("203.0.113.1").write(handshakes["polling"])
			r.dial(0).write(handshakes["polling"])
		}},
		"gone meanwhile": {hooks, func(r *rig) {
			p := r.dial(0)
			p.conn.Feed([]byte(request("GET", base+"polling", "", "X-Test: wait")))
			p.cut()
			release <- struct{}{}
			r.waitPosted(0)
		}},
		"no more handshakes": {hooks, func(r *rig) {
			p := r.from("203.0.113.1")
			p.conn.Feed([]byte(request("GET", base+"polling", "", "X-Test: wait")))
			r.dial(0).write(handshakes["polling"]).wantRefused(503, "Too many handshakes")
			release <- struct{}{}
			r.waitPosted(0)
		}},
		"closing": {Config{}, func(r *rig) {
			r.engine.refusing.Store(true)
			r.dial(0).write(handshakes["polling"]).want(503, "Server shutting down")
			r.engine.refusing.Store(false)
		}},
	} {
		c.cfg.Limits.ConnectionsPerAddress = 2
		r := newRig(t, 1, c.cfg)
		c.fail(r)
		if n := r.engine.limits.table.Sessions(limit.Of(netip.MustParseAddr("192.0.2.1"))); n != 0 {
			t.Errorf("%s: %d sessions are counted", name, n)
		}
	}
}

// So many handshakes of a second are answered, of all clients together, and one second's worth at once. Those of other
// paths, and requests of sessions, do not count.
func TestAcceptsPerSecond(t *testing.T) {
	cfg := anyProtocol
	cfg.Limits.AcceptsPerSecond = 3
	r := newRig(t, 2, cfg)
	r.advance(time.Hour)
	waits := map[string]bool{}
	for round := range 50 {
		for i := range 3 {
			p := r.dial(i % 2).write(handshakes[[]string{"polling", "WebSocket", "WebSocket, EIO 3"}[i]]).wantOpened()
			p.cut()
		}
		for _, text := range []string{handshakes["polling"], handshakes["WebSocket"]} {
			p := r.dial(round % 2).write(text)
			a := p.want(503, tooFast)
			waits[a.Header.Get("Retry-After")] = true
		}
		r.dial(0).write(request("GET", "/other", "")).want(404, "not ours: /other")
		r.advance(time.Second)
	}
	if len(waits) != 5 || !waits["1"] || !waits["5"] {
		t.Errorf("Retry-After has the values %v", waits)
	}
	if n := r.engine.Stats(); n.OverAccepts != 100 {
		t.Errorf("counted %+v", n)
	}
}

// messages is the number of messages that the application has got.
func (r *rig) messages() (n int) {
	for _, c := range r.clients {
		n += len(c.got)
	}
	return n
}

// burst sends messages in one go and returns how many the application has got.
func (p *peer) burst(n int, text string) int {
	before := p.rig.messages()
	p.write(strings.Repeat(textFrame(text), n))
	return p.rig.messages() - before
}

// Of what a connection sends, what is in excess is dropped and counted. A second later there is room again.
func TestEventsAndBytes(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{Limits: Limits{EventsPerSecond: 10, BytesPerSecond: 100}})
		sid := r.poll(0)
		if r.post(loop, sid, strings.Repeat("4x\x1e", 11)+"4x").want(200, "ok"); len(r.last().got) != 10 {
			t.Errorf("%d of a body were handled", len(r.last().got))
		}
		p := r.openWS(loop, sid).text("2probe").text("5")
		if p.next(); p.burst(1, "4x") != 0 {
			t.Error("an upgrade has a bucket of its own")
		}
		r.advance(time.Second)
		if n := p.burst(20, "4x"); n != 10 {
			t.Errorf("%d of 20 events", n)
		}
		r.advance(time.Second)
		if n := p.burst(20, "4"+strings.Repeat("x", 30)); n != 3 {
			t.Errorf("%d of 30 bytes", n)
		}
		r.advance(time.Second)
		if n := p.burst(1, "4"+strings.Repeat("x", 101)) + p.burst(1, "4"+strings.Repeat("x", 100)); n != 1 {
			t.Errorf("%d of 101 and 100 bytes", n)
		}
		r.last().wantClosed()
		if n := r.engine.Stats(); n.OverEvents != 2+1+10 || n.OverBytes != 17+1 {
			t.Errorf("counted %d events and %d for bytes", n.OverEvents, n.OverBytes)
		}
	})
}

// flood exceeds the limits for that long.
func (r *rig) flood(p *peer, d time.Duration) {
	for ; d >= 0 && !p.isClosed(); d -= 100 * time.Millisecond {
		p.burst(20, "4x")
		r.leap(100*time.Millisecond, 100*time.Millisecond)
	}
}

// A client that exceeds its limits for too long is disconnected, and its address is refused for a while. Other sessions
// of the address, and other addresses, are not concerned.
func TestRateLimited(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{Limits: Limits{EventsPerSecond: 10, Excess: 3 * time.Second, RefuseTime: 7 * time.Second}})
		r.openWS(0, "")
		other := r.last()
		sid := r.poll(0)
		p := r.openWS(loop, sid).text("2probe").text("5")
		p.next()
		r.flood(p, 2800*time.Millisecond)
		r.last().wantClosed()
		r.flood(p, 400*time.Millisecond)
		r.last().wantClosed(ReasonRateLimited)
		if n := r.engine.Stats().Closed[ReasonRateLimited]; n != 1 {
			t.Errorf("counted %d", n)
		}
		for _, text := range []string{handshakes["polling"], handshakes["WebSocket"]} {
			a := r.dial(loop).write(text).want(429, "rate limited")
			if after := a.Header.Get("Retry-After"); after != "6" && after != "7" {
				t.Errorf("Retry-After: %q", after)
			}
		}
		r.from("203.0.113.9").write(handshakes["polling"]).wantOpened()
		r.leap(6500*time.Millisecond, 100*time.Millisecond)
		r.dial(0).write(handshakes["polling"]).wantRefused(429, "rate limited")
		r.leap(500*time.Millisecond, 100*time.Millisecond)
		r.dial(0).write(handshakes["polling"]).wantOpened()
		other.wantClosed()
		if r.engine.limits.table.AnyBarred() {
			t.Error("the address is kept")
		}
	})
}

// A polling client is disconnected too. The rest of the body that did it is not handled.
func TestRateLimitedPolling(t *testing.T) {
	r := newRig(t, 1, Config{Limits: Limits{BytesPerSecond: 10, Excess: time.Second}})
	sid := r.poll(0)
	for range 11 {
		r.post(0, sid, "4"+strings.Repeat("x", 20)).want(200, "ok")
		r.leap(99*time.Millisecond, 99*time.Millisecond)
	}
	r.last().wantClosed()
	r.post(0, sid, "4"+strings.Repeat("x", 20)+"\x1e4x").want(400, errorBody(3))
	r.last().wantClosed(ReasonRateLimited)
	r.last().wantGot()
	r.get(0, sid).want(200, "1")
}

// Packets that are no messages count with their bytes. The application with AppAdmits says what an event is, and an
// event may have several messages.
func TestAdmit(t *testing.T) {
	r := newRig(t, 1, Config{AppAdmits: true, Limits: Limits{EventsPerSecond: 3, BytesPerSecond: 100}})
	var admitted []string
	r.onMessage = func(c *recorder, data string, _ bool) {
		if strings.HasSuffix(data, "…") {
			return // the packet has another message
		}
		admitted = append(admitted, fmt.Sprintf("%.1s %v", data, c.s.Admit(data[0] == 'e')))
	}
	p := r.openWS(0, "")
	for _, data := range []string{"e", "a", "a", "a", "e", "e", "e", "a"} {
		p.text("4" + data)
	}
	r.advance(time.Second)
	for _, data := range []string{strings.Repeat("x", 60) + "…", strings.Repeat("y", 60) + "…", "e", "e"} {
		p.text("4" + data)
	}
	r.advance(time.Second)
	p.text("6" + strings.Repeat("x", 90)).text("4" + "e1234567890").text("4e")
	if got, want := strings.Join(admitted, ","), "e true,a true,a true,a true,e true,e true,e false,a true,"+
		"e false,e true,e false,e true"; got != want {
		t.Errorf("admitted\n%s, want\n%s", got, want)
	}
	if n := r.engine.Stats(); n.OverEvents != 1 || n.OverBytes != 2 {
		t.Errorf("counted %d events and %d for bytes", n.OverEvents, n.OverBytes)
	}
}

// New limits hold at once, for open sessions too; wrong ones change nothing.
func TestSetLimits(t *testing.T) {
	r := newRig(t, 1, Config{})
	p := r.openWS(0, "")
	if n := p.burst(100, "4x"); n != 100 {
		t.Fatalf("%d of 100 without limits", n)
	}
	if err := r.engine.SetLimits(Limits{EventsPerSecond: 5, ConnectionsPerAddress: 1}); err != nil {
		t.Fatal(err)
	}
	if n := p.burst(100, "4x"); n != 5 {
		t.Errorf("%d of 100 with a limit of 5", n)
	}
	r.dial(0).write(handshakes["polling"]).wantOpened() // the first one is older than the limit
	r.dial(0).write(handshakes["polling"]).wantRefused(429, tooMany)
	if err := r.engine.SetLimits(Limits{EventsPerSecond: -1}); err == nil || !strings.Contains(err.Error(), "Limits.EventsPerSecond") {
		t.Error(err)
	}
	if n := p.burst(1, "4x"); n != 0 {
		t.Error("the wrong limits are in force")
	}
	if err := r.engine.SetLimits(Limits{}); err != nil {
		t.Fatal(err)
	}
	if n := p.burst(100, "4x"); n != 100 {
		t.Errorf("%d of 100 without limits", n)
	}
	r.dial(0).write(handshakes["polling"]).wantOpened()
	if err := r.engine.SetMaxSessions(-1); err == nil {
		t.Error("a negative number of sessions is possible")
	}
	if err := r.engine.SetMaxSessions(1); err != nil {
		t.Fatal(err)
	}
	r.dial(0).write(handshakes["polling"]).wantRefused(503, "Too many sessions")
}

// Config's limits are checked.
func TestLimitsAreChecked(t *testing.T) {
	for name, l := range map[string]Limits{
		"ConnectionsPerAddress": {ConnectionsPerAddress: -1}, "AcceptsPerSecond": {AcceptsPerSecond: -1},
		"EventsPerSecond": {EventsPerSecond: limit.RateMax + 1}, "BytesPerSecond": {BytesPerSecond: -1},
		"Excess": {Excess: -1}, "RefuseTime": {RefuseTime: time.Microsecond},
	} {
		if err := Check(Config{Limits: l}); err == nil || !strings.Contains(err.Error(), "Config.Limits."+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A message allocates no more with limits than without, and a session without limits keeps nothing for them.
func TestLimitsAllocateNothing(t *testing.T) {
	for _, l := range []Limits{{}, {EventsPerSecond: 1 << 20, BytesPerSecond: 1 << 20}, {EventsPerSecond: 1, Excess: time.Hour}} {
		r := newRig(t, 1, Config{Limits: l})
		r.openWS(0, "")
		c, s := &silent{}, r.last().s
		s.client = c
		data := []byte("4hello")
		if n := testing.AllocsPerRun(1000, func() { s.ws.deliver(data, false) }); n > 0 {
			t.Errorf("%+v: %v allocations", l, n)
		}
		if (s.limited == nil) != (l == Limits{}) {
			t.Errorf("%+v: the session keeps %v", l, s.limited)
		}
	}
}

// silent is a client that does nothing.
type silent struct{ n int }

func (c *silent) Message([]byte, bool) { c.n++ }
func (*silent) Closed(Reason)          {}

// BenchmarkLimits is a small message with limits and without.
func BenchmarkLimits(b *testing.B) {
	for name, l := range map[string]Limits{"off": {}, "on": {EventsPerSecond: 1 << 29, BytesPerSecond: 1 << 29}} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, 1, Config{Limits: l})
			r.openWS(0, "")
			s := r.last().s
			s.client = &silent{}
			data := []byte("4hello")
			b.ReportAllocs()
			for b.Loop() {
				s.ws.deliver(data, false)
			}
		})
	}
}

// BenchmarkAddress is the part of a handshake that limits take.
func BenchmarkAddress(b *testing.B) {
	table := limit.NewTable()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for a := limit.Address(1); pb.Next(); a++ {
			table.Enter(a, 10)
			table.Leave(a)
		}
	})
}
