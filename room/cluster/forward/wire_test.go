package forward

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func testKeys() *keys { return newKeys(testSecret) }

// An id names its node and its loop to who has the secret, and nothing to others.
func TestSID(t *testing.T) {
	k, other := testKeys(), newKeys([]byte("another secret of 16 bytes"))
	a, b := newTag(), newTag()
	seen, masked := map[string]bool{}, map[string]int{}
	const draws = 2000
	for i := range draws {
		sid := k.newSID(a, i%256)
		got, loop, ok := k.readSID([]byte(sid))
		if !ok || got != a || loop != i%256 || len(sid) != sidLen || strings.ContainsAny(sid, "+/=.") {
			t.Fatal(sid, got, loop, ok)
		}
		if got, _, ok := other.readSID([]byte(sid)); !ok || got == a {
			t.Error("another secret reads the tag")
		}
		seen[sid] = true
		masked[sid[sidLen-tagSize:]]++
	}
	for text, n := range masked {
		if n > 5 {
			t.Errorf("%d ids end with %s: the tag shows", n, text)
		}
	}
	if len(seen) != draws || a == b {
		t.Error(len(seen))
	}
	for _, sid := range []string{
		"", "a", strings.Repeat("a", sidLen-1), strings.Repeat("a", sidLen+1), strings.Repeat("\n", sidLen),
		strings.Repeat("+", sidLen),
	} {
		if _, _, ok := k.readSID([]byte(sid)); ok {
			t.Errorf("%q is an id", sid)
		}
	}
	sid := []byte(k.newSID(a, 1))
	if n := testing.AllocsPerRun(100, func() { k.readSID(sid) }); n > 0 {
		t.Errorf("readSID allocates %v times", n)
	}
}

func FuzzReadSID(f *testing.F) {
	k := testKeys()
	f.Add([]byte(k.newSID(1, 2)))
	f.Add(bytes.Repeat([]byte("\r"), sidLen))
	f.Fuzz(func(t *testing.T, sid []byte) {
		tag, loop, ok := k.readSID(sid)
		if ok && (tag > tagMax || loop < 0 || loop > 255 || len(sid) != sidLen) {
			t.Fatal(tag, loop)
		}
	})
}

// pipe is a connection whose other end has deadlines.
func pipe(t *testing.T) (net.Conn, net.Conn) {
	a, b := net.Pipe()
	for _, c := range []net.Conn{a, b} {
		_ = c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { _ = c.Close() })
	}
	return a, b
}

// Both sides prove that they know the secret before anything else.
func TestGreeting(t *testing.T) {
	now := time.Now()
	good := hello{kind: kindLink, loop: 3, time: now, from: 7, to: 9}
	for name, test := range map[string]struct {
		dialer   *keys
		h        hello
		own      tag
		accepted error
	}{
		"good":         {testKeys(), good, 9, nil},
		"any node":     {testKeys(), hello{kind: kindWatch, time: now, from: 7}, 9, nil},
		"other node":   {testKeys(), good, 8, errOther},
		"other secret": {newKeys([]byte("another secret of 16 bytes")), good, 9, errProof},
		"old":          {testKeys(), hello{kind: kindLink, time: now.Add(-time.Minute), to: 9}, 9, errTime},
		"too early":    {testKeys(), hello{kind: kindLink, time: now.Add(time.Minute), to: 9}, 9, errTime},
		"no kind":      {testKeys(), hello{kind: 9, time: now, to: 9}, 9, errMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := pipe(t)
			type result struct {
				h   hello
				err error
			}
			done := make(chan result, 1)
			go func() {
				h, err := welcome(far, testKeys(), test.own, now, 30*time.Second)
				_ = far.Close()
				done <- result{h, err}
			}()
			got, err := greet(near, test.dialer, test.h)
			r := <-done
			if !errors.Is(r.err, test.accepted) || (err == nil) != (test.accepted == nil) {
				t.Fatal(err, r.err)
			}
			if err == nil && (got != test.own || r.h.from != test.h.from || r.h.loop != test.h.loop || r.h.kind != test.h.kind) {
				t.Errorf("%v %+v", got, r.h)
			}
		})
	}
}

// Who repeats a greeting that he has seen gets an answer, and cannot go on.
func TestGreetingReplayed(t *testing.T) {
	k := testKeys()
	near, far := pipe(t)
	var seen bytes.Buffer
	go func() { _, _ = welcome(far, k, 9, time.Now(), time.Minute) }()
	if _, err := greet(recorder{near, &seen}, k, hello{kind: kindLink, time: time.Now(), to: 9}); err != nil {
		t.Fatal(err)
	}
	near, far = pipe(t)
	done := make(chan error, 1)
	go func() {
		_, err := welcome(far, k, 9, time.Now(), time.Minute)
		done <- err
	}()
	_, _ = near.Write(seen.Bytes()[:helloSize])
	_, _ = near.Read(make([]byte, answerSize))
	_, _ = near.Write(seen.Bytes()[helloSize:])
	if err := <-done; !errors.Is(err, errReplayed) {
		t.Error(err)
	}
	// A node that does not know the secret cannot answer a dialer.
	near, far = pipe(t)
	go func() {
		_, _ = far.Read(make([]byte, helloSize))
		_, _ = far.Write(make([]byte, answerSize))
	}()
	if _, err := greet(near, k, hello{kind: kindLink, time: time.Now()}); !errors.Is(err, errProof) {
		t.Error(err)
	}
}

type recorder struct {
	net.Conn
	out *bytes.Buffer
}

func (r recorder) Write(b []byte) (int, error) {
	r.out.Write(b)
	return r.Conn.Write(b)
}

func FuzzParseHello(f *testing.F) {
	k := testKeys()
	now := time.Now()
	f.Add((&hello{kind: kindLink, time: now, from: 1, to: 2}).append(nil, k), true)
	f.Add([]byte(magic), false)
	f.Fuzz(func(t *testing.T, b []byte, sign bool) {
		if sign && len(b) == helloSize { // so that the fuzzer comes behind the proof
			copy(b[helloClaims:], mac(k.links, []byte("hello"), b[:helloClaims]))
		}
		h, err := parseHello(b, k, now, time.Minute)
		if err == nil && !bytes.Equal(h.append(nil, k), b) {
			t.Fatalf("%+v from %x", h, b)
		}
	})
}

func TestPrefix(t *testing.T) {
	for _, addr := range []string{"", "192.0.2.1:1", "[2001:db8::1]:65535", "[::ffff:192.0.2.1]:5"} {
		var a netip.AddrPort
		if addr != "" {
			a = netip.MustParseAddrPort(addr)
		}
		for _, secure := range []bool{false, true} {
			b := append(appendPrefix(nil, a, secure, 77), "GET "...)
			p, request, n, err := parsePrefix(b, 100)
			want := netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
			if err != nil || p.Addr != want || p.Secure != secure || request != 77 || string(b[n:]) != "GET " {
				t.Error(addr, p, request, n, err)
			}
			for i := range n {
				if _, _, m, err := parsePrefix(b[:i], 100); m != 0 || err != nil {
					t.Errorf("%d bytes: %d %v", i, m, err)
				}
			}
			if _, _, _, err := parsePrefix(b, 76); err == nil {
				t.Error("a request that is too long")
			}
		}
	}
	for _, b := range [][]byte{{2, 0, 0, 0, 0, 1}, {0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0}, {0, 255, 1}} {
		if _, _, _, err := parsePrefix(b, 100); err == nil {
			t.Errorf("%x is a prefix", b)
		}
	}
}

func FuzzParsePrefix(f *testing.F) {
	f.Add(appendPrefix(nil, netip.MustParseAddrPort("192.0.2.1:1"), true, 10))
	f.Add(appendPrefix(nil, netip.AddrPort{}, false, 10))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, request, n, err := parsePrefix(b, 1<<20)
		if err == nil && n > 0 && (n > len(b) || request < 1 || request > 1<<20 || n > prefixMin+addrBytesMax) {
			t.Fatal(p, request, n)
		}
	})
}

func TestParseAnswer(t *testing.T) {
	for _, test := range []struct {
		data string
		head bool
		want answerHead
		err  bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, answerHead{200, 38, 5, false}, false},
		{"HTTP/1.1 200 OK\r\ncontent-length:5\r\nConnection: close\r\n\r\n", false, answerHead{200, 56, 5, true}, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, answerHead{200, 38, 0, false}, false},
		{"HTTP/1.1 204 No Content\r\n\r\n", false, answerHead{204, 27, 0, false}, false},
		{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", false, answerHead{101, 56, 0, false}, false},
		{"HTTP/1.1 200 OK\r\nContent-Le", false, answerHead{status: 0}, false},
		{"HTTP/1.1 200 OK\r\n\r\n", false, answerHead{}, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, answerHead{}, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", false, answerHead{}, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", false, answerHead{}, true},
		{"HTTP/1.1 200 OK\r\nno field\r\n\r\n", false, answerHead{}, true},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, answerHead{}, true},
		{"HTTP/1.1 x00 OK\r\nContent-Length: 5\r\n\r\n", false, answerHead{}, true},
		{strings.Repeat("x", answerHeadMax), false, answerHead{}, true},
	} {
		got, err := parseAnswer([]byte(test.data), test.head)
		if (err != nil) != test.err || err == nil && got != test.want {
			t.Errorf("%.60q: %+v %v, want %+v", test.data, got, err, test.want)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), false)
	f.Fuzz(func(t *testing.T, data []byte, head bool) {
		a, err := parseAnswer(data, head)
		if err == nil && a.size > 0 &&
			(a.size > len(data) || a.body < 0 || a.body > answerBodyMax || a.status < 100 || a.status > 999) {
			t.Fatalf("%+v", a)
		}
	})
}

// Announcements are believed when they know the secret and are fresh.
func TestAnnouncement(t *testing.T) {
	k, now := testKeys(), time.Now()
	n := &Node{keys: k, address: "192.0.2.1:7000"}
	if got, err := readAnnouncement(n.announcement(), k, now, time.Minute); err != nil || got != n.address {
		t.Error(got, err)
	}
	forged := &Node{keys: newKeys([]byte("another secret of 16 bytes")), address: n.address}
	for name, test := range map[string]struct {
		text []byte
		now  time.Time
	}{
		"other secret": {forged.announcement(), now}, "old": {n.announcement(), now.Add(time.Hour)},
		"changed": {bytes.Replace(n.announcement(), []byte("192"), []byte("193"), 1), now},
		"no JSON": {[]byte("{"), now}, "empty": {[]byte("{}"), now}, "long": {make([]byte, announcementMax+1), now},
	} {
		if _, err := readAnnouncement(test.text, k, test.now, time.Minute); err == nil {
			t.Errorf("%s: believed", name)
		}
	}
}

func FuzzReadAnnouncement(f *testing.F) {
	k, now := testKeys(), time.Now()
	f.Add((&Node{keys: k, address: "192.0.2.1:7000"}).announcement())
	f.Fuzz(func(t *testing.T, text []byte) {
		address, err := readAnnouncement(text, k, now, time.Minute)
		if err == nil && (address == "" || len(address) > addressMax) {
			t.Fatal(address)
		}
	})
}

func TestConfig(t *testing.T) {
	good := Config{Listen: "127.0.0.1:0", Secret: testSecret}
	for name, change := range map[string]func(c *Config){
		"no address": func(c *Config) { c.Listen = "" }, "short secret": func(c *Config) { c.Secret = []byte("short") },
		"negative number": func(c *Config) { c.MaxForwards = -1 }, "negative time": func(c *Config) { c.PingTimeout = -1 },
		"endless time": func(c *Config) { c.DialTimeout = 1<<63 - 1 }, "huge": func(c *Config) { c.MaxPeers = 1 << 20 },
		"seldom pings":    func(c *Config) { c.PingInterval = watchedMax },
		"all interfaces":  func(c *Config) { c.Listen = ":0" },
		"long address":    func(c *Config) { c.Advertise = strings.Repeat("a", 300) },
		"long, with port": func(c *Config) { c.Advertise = strings.Repeat("a", 300) + ":7" },
	} {
		c := good
		change(&c)
		if n, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
			_ = n.Close()
		}
	}
	for advertise, want := range map[string]string{
		"": "127.0.0.1:7", "h": "h:7", "h:9": "h:9", "h:0": "h:7", "[::1]:5": "[::1]:5", "::1": "[::1]:7", "[::1]": "[::1]:7",
	} {
		got, err := advertised(advertise, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7})
		if err != nil || got != want {
			t.Errorf("%q: %q %v", advertise, got, err)
		}
	}
}
