package server_test

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// polled writes bytes to an address and returns the body of the answer, "" for none.
func polled(t *testing.T, addr net.Addr, data string) string {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(data)); err != nil {
		return ""
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	line, _ := bufio.NewReader(resp.Body).ReadString('}')
	return line
}

const handshakeGET = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n"

// A unix socket's file has the mode that is asked for, a stale one is replaced, a live one and anything else is not,
// and Close removes it.
func TestUnixSocket(t *testing.T) {
	file := filepath.Join(t.TempDir(), "siren.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: file, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	for _, mode := range []fs.FileMode{0, 0o600} {
		srv, err := server.New(server.Config{Loops: 1, UnixMode: mode})
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Listen("unix://" + file); err != nil {
			t.Fatal(err)
		}
		if mode == 0 {
			mode = 0o660
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if got := polled(t, srv.Addr(), strings.Replace(handshakeGET, "EIO=4", "EIO=9", 1)); got != `{"code":5,"message":"Unsupported protocol version"}` {
			t.Errorf("%q", got)
		}
		other, _ := server.New(server.Config{Loops: 1})
		if err := other.Listen("unix://" + file); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a path in use: %v", err)
		}
		_ = other.Close()
		_ = srv.Close()
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after Close: %v", err)
		}
	}
	if _, err := server.New(server.Config{UnixMode: fs.ModeDir | 0o660}); err == nil || !strings.Contains(err.Error(), "UnixMode") {
		t.Errorf("a mode that is none: %v", err)
	}
	if _, err := server.New(server.Config{TrustedProxies: make([]netip.Prefix, 1)}); err == nil || !strings.Contains(err.Error(), "TrustedProxies") {
		t.Errorf("a prefix that is none: %v", err)
	}
}

// The address of a client of the own listener: the socket's, a trusted proxy's word, or the PROXY header's.
func TestClientAddress(t *testing.T) {
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	v1 := "PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\x7f\x00\x00\x01\x12\x67\x00\x50"
	for _, c := range []struct {
		name, listen, data string
		cfg                server.Config
		addr, peer         string // addr "" : no answer
		secure             bool
	}{
		{"plain", "tcp", handshakeGET, server.Config{}, "127.0.0.1", "127.0.0.1", false},
		{"trusted proxy", "tcp", handshakeGET, server.Config{TrustedProxies: local}, "203.0.113.9", "127.0.0.1", true},
		{"PROXY v1", "tcp", v1 + handshakeGET, server.Config{ProxyProtocol: true}, "198.51.100.7", "198.51.100.7", false},
		{"PROXY v2", "tcp", v2 + handshakeGET, server.Config{ProxyProtocol: true, TrustedProxies: local}, "198.51.100.7", "198.51.100.7", false},
		{"PROXY missing", "tcp", handshakeGET, server.Config{ProxyProtocol: true}, "", "", false},
		{"PROXY not asked for", "tcp", v1 + handshakeGET, server.Config{}, "", "", false},
		{"PROXY over unix", "unix", v1 + handshakeGET, server.Config{ProxyProtocol: true}, "198.51.100.7", "198.51.100.7", false},
		{"unix proxy", "unix", handshakeGET, server.Config{TrustedProxies: local}, "203.0.113.9", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := make(chan *server.RequestInfo, 1)
			c.cfg.Loops = 1
			c.cfg.AllowRequest = func(_ context.Context, h *server.RequestInfo) error {
				seen <- h
				return errors.New("no session, please")
			}
			srv, err := server.New(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			addr := "tcp://127.0.0.1:0"
			if c.listen == "unix" {
				addr = "unix://" + filepath.Join(t.TempDir(), "s")
			}
			if err := srv.Listen(addr); err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			if got := polled(t, srv.Addr(), c.data); strings.HasPrefix(got, `{"code":4,`) != (c.addr != "") {
				t.Fatalf("%q", got)
			}
			if c.addr == "" {
				return
			}
			h := receive(t, seen)
			peer := ""
			if h.Peer.IsValid() {
				peer = h.Peer.Addr().String()
			}
			if h.Address() != c.addr || peer != c.peer || h.Secure() != c.secure {
				t.Errorf("%v %v %v", h.Addr, h.Peer, h.Secure())
			}
		})
	}
}
