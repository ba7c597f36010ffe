package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/server"
)

// exchange sends the text of a request on a connection of its own and returns the answer, and whether the connection
// ended behind it. The body is read.
func (h *host) exchange(t testing.TB, text string) (resp *http.Response, body string, ended bool) {
	t.Helper()
	conn := h.conn(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("%.80q: %v", text, err)
	}
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Close {
		_, err = in.ReadByte()
		ended = err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	}
	return resp, string(all), ended
}

// A request that its head decides is answered before its body has come, of known length or not.
func TestMountRefusesFromTheHead(t *testing.T) {
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{CORS: server.CORS{Origins: []string{"*"}}, MaxPayload: 1000}, nil)
			sid := strings.Repeat("A", 24)
			for _, c := range []struct {
				target, field string
				status        int
				body          string
			}{
				{"&transport=polling&sid=" + sid, "Content-Length: 900", 400, `{"code":1,"message":"Session ID unknown"}`},
				{"&transport=polling&sid=" + sid, "Transfer-Encoding: chunked", 400, `{"code":1,"message":"Session ID unknown"}`},
				{"&transport=polling", "Content-Length: 900", 400, `{"code":2,"message":"Bad handshake method"}`},
				{"&transport=polling", "Transfer-Encoding: chunked", 400, `{"code":2,"message":"Bad handshake method"}`},
				{"&transport=x", "Content-Length: 900", 400, `{"code":0,"message":"Transport unknown"}`},
				{"&transport=polling&sid=" + sid, "Content-Length: 1001", 413, ""},
			} {
				t.Run(c.target+" "+c.field, func(t *testing.T) {
					t.Parallel() // net/http reads on for a second
					resp, body, ended := h.exchange(t, "POST /socket.io/?EIO=4"+c.target+" HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\n"+c.field+"\r\n\r\n")
					if resp.StatusCode != c.status || body != c.body || !ended || resp.Header.Get("Access-Control-Allow-Origin") != "*" ||
						len(resp.Header["Date"]) != 1 {
						t.Errorf("%s %q %v, ended %v", resp.Status, body, resp.Header, ended)
					}
				})
			}
		})
	}
}

// A payload of unknown length reaches its session, in chunks of any size.
func TestMountChunkedPayload(t *testing.T) {
	for _, kind := range []string{"tcp", "http2"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{}, echoes)
			p := h.poll(t)
			p.post("40")
			p.take(1)
			for _, size := range []int{1, 1000, 32<<10 - 30, 32<<10 - 12, 32 << 10, 300_000} {
				packet := `42["echo","` + strings.Repeat("x", size) + `"]`
				req, err := http.NewRequest("POST", p.url, struct{ io.Reader }{strings.NewReader(packet)})
				if err != nil {
					t.Fatal(err)
				}
				if req.ContentLength != 0 || req.Body == nil {
					t.Fatal("the length is known")
				}
				resp, err := h.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				answer, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if string(answer) != "ok" {
					t.Fatalf("%d bytes: %s %q", size, resp.Status, answer)
				}
				if got := p.take(1)[0]; got != packet {
					t.Fatalf("%d bytes: %d came back", size, len(got))
				}
			}
		})
	}
}

// An upgrade that is refused before it comes to the session layer ends its connection too.
func TestMountRefusedUpgradesClose(t *testing.T) {
	const up = " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{}, nil)
			const own = "GET /socket.io/?EIO=4&transport=websocket"
			refused := func(text string, status int) {
				t.Helper()
				resp, body, ended := h.exchange(t, text+"\r\n")
				if resp.StatusCode != status || !ended {
					t.Errorf("%.60q: %s %q, ended %v", text, resp.Status, body, ended)
				}
			}
			refused("GET /socket.io/more"+up, 404)
			refused(own+up+"Content-Length: 5\r\n", 400)
			refused(own+up+"Transfer-Encoding: chunked\r\n", 400)
			refused(own+"&sid=nobody"+up, 400)
			refused(own+up+"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400)
			refused(own+up+"Sec-WebSocket-Version: 13\r\n", 400)
			_ = h.srv.Close()
			refused(own+up, 503)
		})
	}
}

// What breaks the framing of WebSockets is judged at once, and Host may be as clients of Node write it.
func TestMountJudgesFramesAtOnce(t *testing.T) {
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{}, nil)
			for sent, code := range map[string]ws.StatusCode{
				"\xff": 1002, "\x89\xfe": 1002, "\x81\x01": 1002, "\x81\xfe\x01\x00\x00\x00\x00\x004\xff": 1007,
			} {
				conn := h.conn(t)
				fmt.Fprint(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ::1:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				in := bufio.NewReader(conn)
				resp, err := http.ReadResponse(in, nil)
				if err != nil || resp.StatusCode != 101 {
					t.Fatal(resp, err)
				}
				if f, err := ws.ReadFrame(in); err != nil || f.Header.OpCode != ws.OpText {
					t.Fatal(f, err) // the open packet
				}
				_, _ = io.WriteString(conn, sent)
				f, err := ws.ReadFrame(in)
				if err != nil || f.Header.OpCode != ws.OpClose {
					t.Fatalf("%q: %v, %v", sent, f.Header, err)
				}
				if got, _ := ws.ParseCloseFrameData(f.Payload); got != code {
					t.Errorf("%q: closed with %d, want %d", sent, got, code)
				}
				_ = conn.Close()
			}
		})
	}
}

// Subprotocols are chosen on every kind of connection, for new sessions and for those that are upgraded.
func TestSubprotocols(t *testing.T) {
	last := func(_ *server.RequestInfo, offered []string) string { return offered[len(offered)-1] }
	for name, cfg := range map[string]server.Config{"a": {}, "b": {SelectProtocol: last}} {
		for _, kind := range []string{"tcp", "tls", "listener"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				var url string
				if kind == "listener" {
					url = "ws://" + start(t, cfg, nil).Addr().String() + "/socket.io/?EIO=4&transport=websocket"
				} else {
					h := hosted(t, kind, cfg, nil)
					url = "ws" + strings.TrimPrefix(strings.Replace(h.poll(t).url, "polling", "websocket", 1), "http")
				}
				for range 2 {
					d := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: []string{"a", "b"}, Timeout: patience}
					conn, _, hs, err := d.Dial(context.Background(), url)
					if err != nil || hs.Protocol != name {
						t.Fatalf("%q, %v", hs.Protocol, err)
					}
					_ = conn.Close()
					url, _, _ = strings.Cut(url, "&sid=") // then without the session
				}
			})
		}
	}
}
