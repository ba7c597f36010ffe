package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// A client that reads slowly, but steadily, gets the whole of an answer behind which the connection closes, however
// long that takes. It takes 12 s, and so runs in a soak test only; package poller has a short one.
func TestSlowReaderGetsTheWholeAnswer(t *testing.T) {
	if !netns.Soaking() {
		t.Skip("takes 12 s; make soak runs it")
	}
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		const size, rate = 15_700_000, 1_300_000
		s := newSite(t, "listen tcp", server.Config{Fallback: answering(size)}, nil)
		conn := s.connect(t, func(c net.Conn) net.Conn { return sessiontest.Paced(c, rate) })
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, "GET /15 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
			t.Errorf("%d of %d bytes came, %v", n, size, err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the answer: %d bytes, %v", n, err)
		}
	})
}

// answering answers each request with so many bytes.
func answering(size int) http.HandlerFunc {
	body := []byte(strings.Repeat("x", size))
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(body)
	}
}

// What the kernel does not take at once follows as soon as it can: an answer to a client that reads takes about as long
// as net/http's, and so does an event, also with the small send buffers of hosts with very many connections. All of it
// must come; how long it takes is compared in a soak test only.
func TestBlockedConnectionsAdvanceAtOnce(t *testing.T) {
	small := map[string]string{"net.ipv4.tcp_wmem": "4096 16384 65536"}
	for _, c := range []struct {
		name   string
		cfg    netns.Config
		size   int
		time   func(t *testing.T, s *site, size int) time.Duration
		atMost float64 // times net/http's time
	}{
		{"answer", netns.Config{MTU: 65536}, 15 << 20, timeAnswer, 2},
		{"answer, MTU 1500", netns.Config{}, 15 << 20, timeAnswer, 2},
		{"event, small send buffers", netns.Config{Sysctls: small}, 3 << 20, timeEvent, 1.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			netns.Run(t, c.cfg, func(t *testing.T) {
				s := newSite(t, "listen tcp", server.Config{Fallback: answering(c.size)}, nil)
				plain := plainSite(t, c.size)
				var ours, theirs []time.Duration
				for range 4 + netns.Soak() { // side by side, so that noise hits both
					theirs = append(theirs, c.time(t, plain, c.size))
					ours = append(ours, c.time(t, s, c.size))
				}
				// Whatever else the machine does makes times longer: the shortest ones are compared.
				mine, other := slices.Min(ours), slices.Min(theirs)
				ratio := float64(mine) / float64(other)
				t.Logf("%v, net/http %v: ratio %.2f; medians %v and %v", mine, other, ratio, median(ours), median(theirs))
				if netns.Soaking() && ratio > c.atMost {
					t.Errorf("ratio %.2f, want at most %.1f", ratio, c.atMost)
				}
			})
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// plainSite is net/http alone: it answers with so many bytes, and sends WebSockets an event of that size when emit is
// called.
func plainSite(t *testing.T, size int) *site {
	t.Helper()
	emit := make(chan struct{})
	text, _ := blob(size)
	frame := ws.MustCompileFrame(ws.NewTextFrame([]byte(`42["blob","` + text + `"]`)))
	mux := http.NewServeMux()
	mux.Handle("/", answering(size))
	mux.HandleFunc("/socket.io/", func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_ = wsutil.WriteServerText(conn, []byte(`0{"sid":"x"}`))
		_ = wsutil.WriteServerText(conn, []byte(`40{"sid":"x"}`))
		<-emit
		_, _ = conn.Write(frame)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Server{Handler: mux}
	go func() { _ = plain.Serve(l) }()
	t.Cleanup(func() { _ = plain.Close() })
	return &site{network: "tcp", addr: l.Addr().String(), emit: func() { emit <- struct{}{} }}
}

// timeAnswer returns the time from a request to the last byte of its answer.
func timeAnswer(t *testing.T, s *site, size int) time.Duration {
	t.Helper()
	conn, err := net.Dial(s.network, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(sessiontest.Patience))
	began := time.Now()
	if _, err := io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16<<10), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); int(n) != size || err != nil {
		t.Fatalf("%d of %d bytes came, %v", n, size, err)
	}
	return time.Since(began)
}

// timeEvent returns the time from the sending of an event to its last byte at the client.
func timeEvent(t *testing.T, s *site, size int) time.Duration {
	t.Helper()
	conn, err := net.Dial(s.network, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sessiontest.JoinWebSocket(conn, "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Close()
		if s.srv != nil {
			eventually(t, "the socket has left", func() bool { return s.srv.Of("/").SocketCount() == 0 })
		}
	}()
	text, event := blob(size)
	emit := s.emit
	if emit == nil {
		prepared, err := server.Prepare("blob", text)
		if err != nil {
			t.Fatal(err)
		}
		emit = func() {
			if n, err := s.srv.Of("/").EmitPrepared(prepared); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		// The frame is made when it is first sent, here to nobody.
		if n, err := s.srv.Of("/").To("nobody").EmitPrepared(prepared); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	began := time.Now()
	emit()
	if m, err := c.Next(); m != event || err != nil {
		t.Fatal(m, err)
	}
	return time.Since(began)
}

// A client that goes on sending after it was refused, and never ends its connection, is cut behind a bounded number of
// bytes.
func TestEndlessSendersAreCut(t *testing.T) {
	const bound = 8 << 20
	garbage := strings.Repeat("x", 64<<10)
	small := netns.Config{Sysctls: map[string]string{"net.ipv4.tcp_rmem": "4096 65536 65536", "net.ipv4.tcp_wmem": "4096 16384 65536"}}
	netns.Run(t, small, func(t *testing.T) {
		for _, kind := range sites {
			for _, c := range []struct{ name, begin, want string }{
				{"431", "GET /socket.io/ HTTP/1.1\r\nHost: x\r\nA: ", "HTTP/1.1 431 "},
				{"413", "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000\r\n\r\n", "HTTP/1.1 4"},
				{"404", "POST /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5000000000\r\n\r\n", "HTTP/1.1 4"},
				{"wrong frame", webSocketRequest + "\xff\xff", "HTTP/1.1 101 "},
				{"close frame", webSocketRequest + "\x88\x80\x00\x00\x00\x00", "HTTP/1.1 101 "},
			} {
				if strings.HasPrefix(kind, "mount") && c.name[0] == '4' {
					continue // net/http's own
				}
				t.Run(kind+" "+c.name, func(t *testing.T) {
					s := newSite(t, kind, server.Config{}, nil)
					conn := s.connect(t, nil)
					_ = conn.SetDeadline(time.Now().Add(sessiontest.Patience))
					got := make(chan string, 1)
					go func() {
						all, _ := io.ReadAll(conn)
						got <- string(all)
					}()
					_, err := io.WriteString(conn, c.begin)
					sent := 0
					for err == nil && sent <= bound {
						var n int
						n, err = io.WriteString(conn, garbage)
						sent += n
					}
					if sent > bound {
						t.Errorf("it took %d bytes", sent)
					}
					_ = conn.Close()
					if answer := wait(t, got); !strings.HasPrefix(answer, c.want) {
						t.Errorf("the answer is %.40q", answer)
					}
				})
			}
		}
	})
}

const webSocketRequest = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// What was emitted while a session upgrades arrives on the WebSocket, all that its queue took: the connection's limit
// is never below the queue's.
func TestUpgradeTakesWhatWasQueued(t *testing.T) {
	for _, kind := range sites {
		t.Run(kind, func(t *testing.T) {
			const events = 28_000
			s := newSite(t, kind, server.Config{MaxResponse: 1 << 20}, nil)
			p := s.joinPolling(t, nil)
			w, err := sessiontest.OpenWebSocket(s.connect(t, nil), "/socket.io/?EIO=4&transport=websocket&sid="+p.SID)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Send("2probe"); err != nil {
				t.Fatal(err)
			}
			if m, err := w.Next(); m.Text != "3probe" || err != nil {
				t.Fatal(m, err)
			}
			pad := strings.Repeat("x", 100-len(`2["e",00000,""]`))
			for i := range events {
				if n, err := s.srv.Emit("e", i, pad); n != 1 || err != nil {
					t.Fatal(i, n, err)
				}
			}
			if err := w.Send("5"); err != nil {
				t.Fatal(err)
			}
			for i := range events {
				m, err := w.Next()
				if want := sessiontest.MessageOf(fmt.Sprintf(`42["e",%d,"%s"]`, i, pad)); m != want || err != nil {
					t.Fatalf("event %d: %v, %v", i, m, err)
				}
			}
		})
	}
}
