package server_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/server"
)

// packedClient is a WebSocket client that offers permessage-deflate.
type packedClient struct {
	t    testing.TB
	conn net.Conn
	r    io.Reader
}

func dialPacked(t testing.TB, srv *server.Server) *packedClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var d ws.Dialer
	d.Extensions = append(d.Extensions, wsflate.Parameters{}.Option())
	conn, br, _, err := d.Dial(ctx, "ws://"+srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	c := &packedClient{t, conn, conn}
	if br != nil {
		c.r = br
	}
	c.next() // open
	c.send("40")
	c.next() // CONNECT
	return c
}

func (c *packedClient) send(packet string) {
	c.t.Helper()
	if err := ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewTextFrame([]byte(packet)))); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next message; packed tells that it came compressed.
func (c *packedClient) next() (data string, packed bool) {
	c.t.Helper()
	f, err := ws.ReadFrame(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	if !f.Header.Rsv1() {
		return string(f.Payload), false
	}
	out, err := deflate.Inflate(nil, f.Payload, 1<<20, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(out), true
}

func (c *packedClient) want(want string, packed bool) {
	c.t.Helper()
	if got, z := c.next(); got != want || z != packed {
		c.t.Fatalf("got %.80q, compressed %v, want %.80q, %v", got, z, want, packed)
	}
}

// Every way to emit, to a client that compresses and to one that does not; a broadcast with its attachment, too.
func TestCompressEmits(t *testing.T) {
	big := strings.Repeat("big ", 500)
	prepared, err := server.Prepare("p", big)
	if err != nil {
		t.Fatal(err)
	}
	srv := start(t, server.Config{PerMessageDeflate: server.PerMessageDeflate{Enabled: true}}, func(srv *server.Server) {
		srv.Of("/").On("go", func(ctx context.Context, m *server.Message) {
			s, ns := m.Socket(), m.Socket().Namespace()
			check := func(_ any, err error) {
				if err != nil {
					t.Error(err)
				}
			}
			check(ns.Emit("b", big, []byte(big)))
			check(ns.Compress(false).Emit("b", big, []byte(big)))
			check(ns.Compress(false).Compress(true).Emit("b", big))
			check(ns.EmitPrepared(prepared))
			check(ns.Compress(false).EmitPrepared(prepared))
			check(ns.EmitPrepared(prepared))
			check(nil, s.Emit("s", big))
			check(nil, s.Compress(false).Emit("s", big))
			check(nil, s.Compress(true).Emit("s", "short"))
			check(nil, s.EmitPrepared(prepared))
			check(nil, s.Compress(false).EmitPrepared(prepared))
			check(nil, s.Compress(false).EmitAck(ctx, "q", func(server.Reply, error) {}, big))
			check(nil, m.Ack(big))
		})
	})
	plain, _ := joined(t, srv, "/")
	c := dialPacked(t, srv)
	c.send(`421["go"]`)
	attached := `["b","` + big + `",{"_placeholder":true,"num":0}]`
	for _, z := range []bool{true, false} {
		c.want(`451-`+attached, z)
		c.want(big, z)
	}
	c.want(`42["b","`+big+`"]`, true)
	for _, z := range []bool{true, false, true} {
		c.want(`42["p","`+big+`"]`, z)
	}
	c.want(`42["s","`+big+`"]`, true)
	c.want(`42["s","`+big+`"]`, false)
	c.want(`42["s","short"]`, false)
	c.want(`42["p","`+big+`"]`, true)
	c.want(`42["p","`+big+`"]`, false)
	c.want(`420["q","`+big+`"]`, false)
	c.want(`431["`+big+`"]`, true)
	for range 2 {
		plain.expect(`51-` + attached)
		if m := plain.next(); string(m.binary) != big {
			t.Fatal(m)
		}
	}
	plain.expect(`2["b","` + big + `"]`)
	for range 3 {
		plain.expect(`2["p","` + big + `"]`)
	}
}

// Polling answers are compressed without being asked for, unless the event says otherwise.
func TestCompressPolling(t *testing.T) {
	big := strings.Repeat("big ", 500)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		srv.Of("/").On("plain", func(_ context.Context, m *server.Message) {
			_ = m.Socket().Compress(false).Emit("s", big)
		})
		srv.Of("/").On("more", func(_ context.Context, m *server.Message) { _ = m.Socket().Emit("s", big) })
	})
	url := "http://" + srv.Addr().String() + "/socket.io/?EIO=4&transport=polling"
	ask := func(method, url, body string) (text, encoding string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "deflate;q=0.5, gzip")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		all, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(all), resp.Header.Get("Content-Encoding")
	}
	open, _ := ask("GET", url, "")
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	url += "&sid=" + sid
	ask("POST", url, "40")
	if got, _ := ask("GET", url, ""); !strings.HasPrefix(got, "40") {
		t.Fatal(got)
	}
	ask("POST", url, `42["plain"]`)
	if got, encoding := ask("GET", url, ""); got != `42["s","`+big+`"]` || encoding != "" {
		t.Errorf("encoding %q of %d bytes", encoding, len(got))
	}
	ask("POST", url, `42["more"]`)
	got, encoding := ask("GET", url, "")
	if encoding != "gzip" || strings.Contains(got, big) || !bytes.HasPrefix([]byte(got), []byte{0x1f, 0x8b}) {
		t.Errorf("encoding %q of %d bytes", encoding, len(got))
	}
	ask("POST", url, string(eio.CloseFrame.Payload()))
}
