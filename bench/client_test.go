package bench

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"golang.org/x/sys/unix"
)

// newTestSubscriber returns a ready subscriber in a burst whose connection is one
// end of a socket pair; peer is the other. Its worker does not run.
func newTestSubscriber(t testing.TB, cfg Config) (s *subscriber, c *conn, peer int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range pair {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	cfg.URL = "http://127.0.0.1:9"
	cfg = cfg.withDefaults()
	target, err := parseTarget(cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorker(cfg, duty{Join: true, Park: true}, target, newClock(), newTickPlan(cfg.Broadcasts, cfg.Size), func() {})
	if err != nil {
		t.Fatal(err)
	}
	c = &conn{w: w, fd: pair[0], id: 1}
	if err := w.poll.add(c.fd, c.id, readable); err != nil {
		t.Fatal(err)
	}
	w.attach(c)
	t.Cleanup(func() {
		w.shut()
		unix.Close(pair[1])
	})
	s = &subscriber{w: w, phase: phaseReady, upgradeAt: noUpgrade}
	w.subs = []*subscriber{s}
	w.beginWindow(windowTicks)
	return s, c, pair[1]
}

// sent reads what the subscriber wrote.
func sent(t testing.TB, peer int) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Read(peer, buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

func TestFramesSplitAnywhere(t *testing.T) {
	cfg := Config{Broadcasts: 4, Size: 40}
	var stream []byte
	add := func(frames ...ws.Frame) {
		for _, f := range frames {
			stream = append(stream, ws.MustCompileFrame(f)...)
		}
	}
	tick := func(n int) []byte { return []byte("4" + tickPacket(n, cfg.Size, 1)) }
	add(ws.NewTextFrame(tick(0)), ws.NewPingFrame([]byte("are you there")), ws.NewTextFrame(tick(1)))
	add(ws.NewTextFrame([]byte("2")), ws.NewTextFrame([]byte("6")))
	// A fragmented message with a control frame inside.
	half := tick(2)
	add(ws.NewFrame(ws.OpText, false, half[:9]), ws.NewPongFrame(nil), ws.NewFrame(ws.OpContinuation, true, half[9:]))
	add(ws.NewTextFrame(tick(3)))
	for i := range stream {
		s, c, peer := newTestSubscriber(t, cfg)
		l := &wsLink{sub: s, conn: c, open: true}
		s.link, c.owner = l, l
		for _, piece := range [][]byte{stream[:i], stream[i:]} {
			// The reader unmasks and keeps, so it gets copies.
			if err := l.received([]byte(string(piece)), 2); err != nil {
				t.Fatalf("split at %d: %v", i, err)
			}
		}
		tally := &s.w.tally
		if tally.delivered != 4 || tally.malformed+tally.duplicated+tally.reordered != 0 || !s.complete {
			t.Fatalf("split at %d: %+v", i, tally)
		}
		if l.partial != nil {
			t.Fatalf("split at %d: idle with a buffer", i)
		}
		answers := strings.NewReader(sent(t, peer))
		pong, err := ws.ReadFrame(answers)
		if err != nil || pong.Header.OpCode != ws.OpPong || string(ws.UnmaskFrame(pong).Payload) != "are you there" {
			t.Fatalf("split at %d: pong %+v, %v", i, pong.Header, err)
		}
		if packet, err := wsutil.ReadClientText(struct {
			*strings.Reader
			writer
		}{answers, nil}); err != nil || string(packet) != packetPong {
			t.Fatalf("split at %d: answer %q, %v", i, packet, err)
		}
	}
}

// writer makes a reader a ReadWriter that is not written to.
type writer []byte

func (writer) Write(p []byte) (int, error) { return len(p), nil }

func TestPayloadsSplitAnywhere(t *testing.T) {
	cfg := Config{Broadcasts: 3, Size: 40}
	tick := func(n int) string { return "4" + tickPacket(n, cfg.Size, 1) }
	stream := contentLength(tick(0)+packetSeparator+"6") + contentLength("2"+packetSeparator+tick(1)+packetSeparator+tick(2))
	for i := range stream {
		s, c, peer := newTestSubscriber(t, cfg)
		s.sid = "abc"
		l := &pollLink{sub: s, conn: c, waiting: requestGet}
		s.link, s.polling, c.owner = l, l, l
		l.identified(s.sid)
		for _, piece := range []string{stream[:i], stream[i:]} {
			if err := l.received([]byte(piece), 2); err != nil {
				t.Fatalf("split at %d: %v", i, err)
			}
		}
		if tally := &s.w.tally; tally.delivered != 3 || tally.malformed != 0 || !s.complete {
			t.Fatalf("split at %d: %+v", i, tally)
		}
		// One GET, and the POST of the pong in place of the next.
		const want = "GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n" +
			"POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: 127.0.0.1:9\r\n" +
			"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 1\r\n\r\n3"
		if got := sent(t, peer); got != want || l.waiting != requestPost {
			t.Fatalf("split at %d: sent %q", i, got)
		}
	}
}

func TestPollingFaultsEndTheSession(t *testing.T) {
	for name, stream := range map[string]string{
		"status":      "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"empty":       contentLength(""),
		"close":       contentLength("1"),
		"unsolicited": contentLength("6") + contentLength("6") + contentLength("1"),
	} {
		s, c, _ := newTestSubscriber(t, Config{Broadcasts: 1})
		l := &pollLink{sub: s, conn: c, waiting: requestGet}
		s.link, s.polling, c.owner = l, l, l
		if err := l.received([]byte(stream), 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWebSocketFaultsEndTheSession(t *testing.T) {
	for name, frame := range map[string]ws.Frame{
		"binary": ws.NewBinaryFrame([]byte("x")),
		"close":  ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "")),
		"masked": ws.MaskFrame(ws.NewTextFrame([]byte("6"))),
		"empty":  ws.NewTextFrame(nil),
		"closed": ws.NewTextFrame([]byte("1")),
	} {
		s, c, _ := newTestSubscriber(t, Config{Broadcasts: 1})
		l := &wsLink{sub: s, conn: c, open: true}
		s.link, c.owner = l, l
		if err := l.received(ws.MustCompileFrame(frame), 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Messages that come between the probe's answer and the upgrade are faults.
func TestProbeTakesOneAnswer(t *testing.T) {
	s, c, _ := newTestSubscriber(t, Config{Broadcasts: 1})
	s.polling, s.upgradeAt = &pollLink{sub: s, waiting: requestGet}, upgrading
	l := &wsLink{sub: s, conn: c, open: true, probing: true, sid: "abc"}
	s.probe, c.owner = l, l
	if err := l.received(ws.MustCompileFrame(ws.NewTextFrame([]byte(probePong))), 1); err != nil || !s.polling.pausing {
		t.Fatalf("error %v, pausing %v", err, s.polling.pausing)
	}
	err := l.received(ws.MustCompileFrame(ws.NewTextFrame([]byte("6"))), 1)
	if err == nil {
		t.Fatal("no error")
	}
	c.fail(err)
	if s.phase != phaseReady || s.polling.pausing || s.upgradePending() || s.w.counts.upgradeFailed != 1 {
		t.Errorf("session did not go on with polling: %+v", s.w.counts)
	}
}

func TestUpgradeOrder(t *testing.T) {
	s, c, peer := newTestSubscriber(t, Config{Broadcasts: 1, Transport: TransportUpgrade})
	_, pollConn, _ := newTestSubscriber(t, Config{})
	l := &wsLink{sub: s, conn: c, open: true, probing: true, sid: "abc"}
	s.polling = &pollLink{sub: s, conn: pollConn, waiting: requestGet}
	s.link, s.probe, s.upgradeAt = s.polling, l, upgrading
	c.owner, pollConn.owner = l, s.polling
	polling := s.polling
	if err := l.received(ws.MustCompileFrame(ws.NewTextFrame([]byte(probePong))), 1); err != nil {
		t.Fatal(err)
	}
	if got := sent(t, peer); got != "" {
		t.Fatalf("sent %q before the GET returned", got)
	}
	// The GET in flight brings a ping: its answer follows the upgrade packet.
	if err := polling.received([]byte(contentLength("2")), 1); err != nil {
		t.Fatal(err)
	}
	answers := struct {
		*strings.Reader
		writer
	}{strings.NewReader(sent(t, peer)), nil}
	for _, want := range []string{packetUpgrade, packetPong} {
		if got, err := wsutil.ReadClientText(answers); err != nil || string(got) != want {
			t.Errorf("sent %q, %v, want %q", got, err, want)
		}
	}
	if s.link != l || s.polling != nil || pollConn.fd >= 0 || s.w.counts.upgraded != 1 {
		t.Errorf("not upgraded: %+v", s.w.counts)
	}
}

func TestReceivedAllocates(t *testing.T) {
	cfg := Config{Broadcasts: 1 << 20, Size: 128}
	s, c, _ := newTestSubscriber(t, cfg)
	l := &wsLink{sub: s, conn: c, open: true}
	s.link, c.owner = l, l
	frame := ws.MustCompileFrame(ws.NewTextFrame([]byte("4" + tickPacket(0, 128, 1))))
	number := 0
	allocs := testing.AllocsPerRun(1000, func() {
		setTickNumber(frame, number)
		number++
		if err := l.received(frame, 2); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 || s.w.tally.delivered != uint64(number) {
		t.Errorf("%v allocations per message, %d of %d delivered", allocs, s.w.tally.delivered, number)
	}
}

// setTickNumber rewrites the number in a frame of fewer than 65536 bytes.
func setTickNumber(frame []byte, n int) {
	at := 4 + 1 + len(tickPrefix) + tickTimeAt - 2 // of the last digit
	for range tickTimeAt - 1 - tickNumberAt {
		frame[at] = byte('0' + n%10)
		n /= 10
		at--
	}
}

func BenchmarkReceived(b *testing.B) {
	s, c, _ := newTestSubscriber(b, Config{Broadcasts: broadcastsMax, Size: 128})
	l := &wsLink{sub: s, conn: c, open: true}
	s.link, c.owner = l, l
	frame := ws.MustCompileFrame(ws.NewTextFrame([]byte("4" + tickPacket(0, 128, 1))))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		setTickNumber(frame, n)
		if err := l.received(frame, 2); err != nil {
			b.Fatal(err)
		}
	}
}
