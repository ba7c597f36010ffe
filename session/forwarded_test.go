package session

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// dialFrom connects to loop 0 by way of another server.
func (r *rig) dialFrom(p Peer) *peer {
	c := pollertest.NewConn(r.loops[0], nil)
	r.loops[0].Do(func() { c.SetReceiver(r.engine.AcceptFrom(c, 0, p)) })
	return &peer{rig: r, conn: c}
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// The client's address behind trusted proxies.
func TestForwardedAddress(t *testing.T) {
	// The fake connections come from 192.0.2.1:40000.
	near := prefixes("192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32")
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		fields  []string
		addr    string
		secure  bool
	}{
		{"nobody is trusted", nil, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"}, "192.0.2.1:40000", false},
		{"another is trusted", prefixes("198.51.100.0/24"), []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"}, "192.0.2.1:40000", false},
		{"no field", near, nil, "192.0.2.1:40000", false},
		{"one", near, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"}, "203.0.113.9:0", true},
		{"a client's own claim", near, []string{"X-Forwarded-For: 8.8.8.8, 203.0.113.9"}, "203.0.113.9:0", false},
		{"through two proxies", near, []string{"X-Forwarded-For: 8.8.8.8,203.0.113.9 ,10.1.2.3"}, "203.0.113.9:0", false},
		{"repeated fields", near, []string{"x-forwarded-for: 8.8.8.8", "Accept: */*", "X-FORWARDED-FOR: 203.0.113.9, 10.1.2.3", "X-Forwarded-For: 10.0.0.1"}, "203.0.113.9:0", false},
		{"proxies all the way", near, []string{"X-Forwarded-For: 10.9.9.9, 10.1.2.3"}, "10.9.9.9:0", false},
		{"with a port", near, []string{"X-Forwarded-For: 203.0.113.9:8080"}, "203.0.113.9:8080", false},
		{"IPv6", near, []string{"X-Forwarded-For: 2a00::5"}, "[2a00::5]:0", false},
		{"IPv6 in brackets", near, []string{"X-Forwarded-For: [2a00::5], [2001:db8::1]"}, "[2a00::5]:0", false},
		{"IPv6 with a port", near, []string{"X-Forwarded-For: [2a00::5]:443"}, "[2a00::5]:443", false},
		{"IPv6 with a zone", near, []string{"X-Forwarded-For: fe80::1%eth0"}, "[fe80::1]:0", false},
		{"mapped IPv4", near, []string{"X-Forwarded-For: 203.0.113.9, ::ffff:10.0.0.1"}, "203.0.113.9:0", false},
		{"garbage", near, []string{"X-Forwarded-For: 203.0.113.9, unknown"}, "192.0.2.1:40000", false},
		{"garbage behind a proxy", near, []string{"X-Forwarded-For: 203.0.113.9, _x, 10.0.0.1"}, "10.0.0.1:0", false},
		{"empty elements", near, []string{"X-Forwarded-For: , 203.0.113.9,, "}, "203.0.113.9:0", false},
		{"empty", near, []string{"X-Forwarded-For:", "X-Forwarded-Proto:"}, "192.0.2.1:40000", false},
		{"IPv4 in brackets", near, []string{"X-Forwarded-For: [203.0.113.9]"}, "192.0.2.1:40000", false},
		{"schemes", near, []string{"X-Forwarded-Proto: https, http"}, "192.0.2.1:40000", true},
		{"schemes, the client's without TLS", near, []string{"X-Forwarded-Proto: http,https"}, "192.0.2.1:40000", false},
		{"schemes, one address", near, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https, http"}, "203.0.113.9:0", true},
		{"one scheme, two addresses", near, []string{"X-Forwarded-For: 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto: https"}, "203.0.113.9:0", true},
		{"schemes of two proxies", near, []string{"X-Forwarded-For: 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto: https, http"}, "203.0.113.9:0", true},
		{"a client's own claims", near, []string{"X-Forwarded-For: 8.8.8.8, 203.0.113.9", "X-Forwarded-Proto: https, http"}, "203.0.113.9:0", false},
		{"a client's own claims, two proxies", near, []string{"X-Forwarded-For: 8.8.8.8, 203.0.113.9", "X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: http, https, http"}, "203.0.113.9:0", true},
		{"empty schemes", near, []string{"X-Forwarded-Proto: , https,"}, "192.0.2.1:40000", true},
		{"repeated schemes", near, []string{"X-Forwarded-Proto: http", "X-Forwarded-Proto: HTTPS"}, "192.0.2.1:40000", true},
		{"a scheme of WebSockets", near, []string{"X-Forwarded-Proto: wss"}, "192.0.2.1:40000", true},
		{"a mapped prefix", prefixes("::ffff:192.0.2.0/120"), []string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9:0", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 1, Config{TrustedProxies: c.trusted})
			r.dial(0).write(request("GET", base+"polling", "", c.fields...))
			h := r.last().s.Handshake()
			if h.Addr.String() != c.addr || h.Secure() != c.secure || h.Peer.String() != "192.0.2.1:40000" ||
				h.Address() != h.Addr.Addr().String() {
				t.Errorf("client %v, secure %v, peer %v", h.Addr, h.Secure(), h.Peer)
			}
		})
	}
}

func TestTrustedProxiesAreChecked(t *testing.T) {
	for _, p := range []netip.Prefix{{}, netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 33)} {
		if err := Check(Config{TrustedProxies: []netip.Prefix{p}}); err == nil || !strings.Contains(err.Error(), "TrustedProxies") {
			t.Errorf("%v: %v", p, err)
		}
	}
	for ip, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "fe80::1%eth0": true, "11.0.0.1": false} {
		if got := trusts(prefixes("10.0.0.0/8", "fe80::/10"), netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
	if trusts(nil, netip.Addr{}) || !trusts(prefixes("10.0.0.0/8"), netip.Addr{}) {
		t.Error("a unix socket is trusted with all else")
	}
}

// What comes by another server has the address that server says, and one request.
func TestAcceptFrom(t *testing.T) {
	r := newRig(t, 1, Config{})
	addr := netip.MustParseAddrPort("203.0.113.9:99")
	p := r.dialFrom(Peer{Addr: addr, Secure: true, Single: true})
	p.write(request("GET", base+"polling", "") + "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	h := r.last().s.Handshake()
	if h.Addr != addr || h.Peer != addr || !h.Secure() {
		t.Errorf("%v %v %v", h.Addr, h.Peer, h.Secure())
	}
	if text := string(p.pull()); !strings.Contains(text, "Connection: close\r\n") || strings.Count(text, "HTTP/1.1") != 1 {
		t.Errorf("%q", text)
	}
	ws := r.dialFrom(Peer{Single: true})
	ws.write(upgradeRequest(""))
	if text := string(ws.pull()); !strings.Contains(text, " 101 ") || strings.Contains(text, "close") {
		t.Errorf("%q", text)
	}
}

// PROXY headers, whole or in pieces, followed by the request in the same read or later.
func TestProxyProtocol(t *testing.T) {
	v1 := "PROXY TCP4 203.0.113.9 198.51.100.1 5555 443\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\x15\xb3\x01\xbb"
	get := request("GET", base+"polling", "", "X-Forwarded-For: 8.8.8.8")
	for name, c := range map[string]struct{ head, addr string }{
		"v1": {v1, "203.0.113.9:5555"}, "v2": {v2, "203.0.113.9:5555"},
		"unknown": {"PROXY UNKNOWN\r\n", "8.8.8.8:0"}, // the proxy's own word counts, and the proxy is trusted
	} {
		for _, size := range []int{1, 7, 1000} {
			r := newRig(t, 1, Config{ProxyProtocol: true, TrustedProxies: prefixes("192.0.2.1/32")})
			p := r.dial(0)
			for text := c.head + get; text != ""; {
				n := min(size, len(text))
				p.write(text[:n])
				text = text[n:]
			}
			if got := r.last().s.Handshake().Addr.String(); got != c.addr {
				t.Errorf("%s in pieces of %d: %s", name, size, got)
			}
		}
	}
	for name, cfg := range map[string]Config{
		"no header":     {ProxyProtocol: true},
		"not a trusted": {ProxyProtocol: true, TrustedProxies: prefixes("10.0.0.0/8")},
	} {
		r := newRig(t, 1, cfg)
		p := r.dial(0)
		text := get
		if name != "no header" {
			text = v1 + get
		}
		p.write(text)
		if string(p.pull()) != "" || !p.isClosed() || len(r.clients) != 0 {
			t.Errorf("%s: %q", name, string(p.pull()))
		}
		r.advance(time.Second)
		r.wantEmpty()
	}
	r := newRig(t, 1, Config{ProxyProtocol: true, HeaderTimeout: time.Second})
	p := r.dial(0)
	p.write(v1[:9])
	r.advance(2 * time.Second)
	if !p.isClosed() {
		t.Error("a header that never ends is waited for")
	}
	p = r.dial(0)
	p.write(v1[:9])
	p.cut()
	r.wantEmpty()
	// The request's clock starts behind the header.
	p = r.dial(0)
	p.write(v1)
	r.advance(2 * time.Second)
	if !p.isClosed() {
		t.Error("a request that never comes is waited for")
	}
	r.wantEmpty()
}

// Connections that end because of their PROXY header are counted, and logged at most once in ten seconds.
func TestProxyProtocolRefusals(t *testing.T) {
	v1 := "PROXY TCP4 203.0.113.9 198.51.100.1 5555 443\r\n"
	for _, c := range []struct {
		name, data, reason string
		trusted            string
		missing, untrusted uint64 // of two connections
	}{
		{"missing", "GET / HTTP/1.1\r\n", "no PROXY header", "192.0.2.1/32", 2, 0},
		{"wrong", "PROXY TCP4 nobody\r\n", "malformed header", "192.0.2.1/32", 2, 0},
		{"late", v1[:9], "within HeaderTimeout", "192.0.2.1/32", 2, 0},
		{"silent", "", "within HeaderTimeout", "192.0.2.1/32", 2, 0},
		{"untrusted", v1, "none of TrustedProxies", "10.0.0.0/8", 0, 2},
		{"well", v1, "", "192.0.2.1/32", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			r := newRig(t, 1, Config{
				ProxyProtocol: true, TrustedProxies: prefixes(c.trusted), HeaderTimeout: time.Second,
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			for range 2 {
				r.dial(0).write(c.data)
				r.advance(2 * time.Second)
			}
			if s := r.engine.Stats(); s.NoProxyHeader != c.missing || s.Untrusted != c.untrusted {
				t.Errorf("counted %d and %d, want %d and %d", s.NoProxyHeader, s.Untrusted, c.missing, c.untrusted)
			}
			lines := strings.Count(log.String(), "level=WARN")
			if c.reason == "" {
				if lines > 0 {
					t.Error(log.String())
				}
				return
			}
			if lines != 1 || !strings.Contains(log.String(), c.reason) || !strings.Contains(log.String(), "addr=192.0.2.1") {
				t.Errorf("%d lines:\n%s", lines, &log)
			}
			r.advance(warnEvery)
			r.dial(0).write(c.data)
			r.advance(2 * time.Second)
			if n := strings.Count(log.String(), "level=WARN"); n != 2 {
				t.Errorf("%d lines ten seconds later", n)
			}
		})
	}
	// Load balancers look whether a port is open, and say nothing.
	r := newRig(t, 1, Config{ProxyProtocol: true})
	r.dial(0).cut()
	if s := r.engine.Stats(); s.NoProxyHeader != 0 {
		t.Error("a connection that closes at once is counted")
	}
}

func FuzzForwardedFor(f *testing.F) {
	f.Add("203.0.113.9, 10.0.0.1")
	f.Add("[2a00::5]:443,,unknown")
	f.Fuzz(func(t *testing.T, value string) {
		peer := netip.MustParseAddrPort("10.0.0.1:1")
		r := &httpwire.Request{Fields: []httpwire.Field{{Name: []byte("X-Forwarded-For"), Value: []byte(value)}}}
		got, hops := forwardedFor(r, peer, prefixes("10.0.0.0/8"))
		_ = forwardedSecure(&httpwire.Request{Fields: append(r.Fields, httpwire.Field{Name: forwardedProtoName, Value: []byte(value)})}, hops, false)
		if !got.IsValid() || got.Addr().Zone() != "" || got.Addr().Is4In6() {
			t.Fatalf("%q: %v", value, got)
		}
		// Whatever a client has written before, the proxy's word stays.
		r.Fields[0].Value = []byte(value + ", 203.0.113.9")
		if got, _ := forwardedFor(r, peer, prefixes("10.0.0.0/8")); got.String() != "203.0.113.9:0" {
			t.Fatalf("%q: %v", value, got)
		}
	})
}
