package wsframe

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

const (
	rfcKey    = "dGhlIHNhbXBsZSBub25jZQ=="     // RFC 6455 section 1.3
	rfcAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455 section 1.3
)

func TestAcceptKeyOfSection13(t *testing.T) {
	if got := AcceptKey([]byte("> "), []byte(rfcKey)); string(got) != "> "+rfcAccept {
		t.Errorf("got %q", got)
	}
	// Keys of a wrong length are hashed, too.
	for _, key := range []string{"", "x", strings.Repeat("k", 1000)} {
		if got := AcceptKey(nil, []byte(key)); len(got) != len(rfcAccept) {
			t.Errorf("%d bytes: %q", len(key), got)
		}
	}
}

func TestAcceptKeyAllocations(t *testing.T) {
	key, dst := []byte(rfcKey), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { dst = AcceptKey(dst[:0], key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	room := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		room = AppendUpgradeResponse(room[:0], key, "Sec-WebSocket-Protocol", "chat")
	}); n != 0 {
		t.Errorf("%v allocations for the response", n)
	}
}

func TestValidKey(t *testing.T) {
	for _, c := range []struct {
		key  string
		want bool
	}{
		{rfcKey, true},
		{"AAAAAAAAAAAAAAAAAAAAAA==", true},
		{"/+/+/+/+/+/+/+/+/+/+/w==", true},
		{"dGhlIHNhbXBsZSBub25jZR==", true}, // unused bits set
		{"", false},
		{rfcKey[:23], false},
		{rfcKey + "=", false},
		{"dGhlIHNhbXBsZSBub25jZQ=a", false},
		{"dGhlIHNhbXBsZSBub25jZQa=", false},
		{"dGhlIHNhbXBsZSBub25jZQaa", false}, // 18 bytes
		{"dGhlIHNhbXBsZSBub25j====", false},
		{"dGhlIHNhbXBsZSBub25j-_==", false}, // the alphabet for URLs
		{"dGhlIHNhbXBsZSBub2\r\nZQ==", false},
		{" GhlIHNhbXBsZSBub25jZQ==", false},
		{"\x80GhlIHNhbXBsZSBub25jZQ==", false},
	} {
		if got := ValidKey([]byte(c.key)); got != c.want {
			t.Errorf("%q: %v", c.key, got)
		}
		if c.want {
			if b, err := base64.StdEncoding.DecodeString(c.key); len(b) != 16 || err != nil {
				t.Errorf("%q decodes to %d bytes, %v", c.key, len(b), err)
			}
		}
	}
}

// The response that accepts a WebSocket handshake.
func TestAppendUpgradeResponse(t *testing.T) {
	const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + rfcAccept + "\r\n"
	for _, c := range []struct {
		name  string
		extra []string
		want  string
	}{
		{"plain", nil, ""},
		{"two fields", []string{"Sec-WebSocket-Protocol", "chat", "X-A", "b c\td"}, "Sec-WebSocket-Protocol: chat\r\nX-A: b c\td\r\n"},
		{"empty value", []string{"X-A", ""}, "X-A: \r\n"},
		{"bytes above ASCII", []string{"X-A", "é"}, "X-A: é\r\n"},
		{"name without value", []string{"X-A", "1", "X-B"}, "X-A: 1\r\n"},
		{"line end in a value", []string{"X-A", "1\r\nX-Evil: 1", "X-B", "2"}, "X-B: 2\r\n"},
		{"LF in a value", []string{"X-A", "1\nX-Evil: 1"}, ""},
		{"CR in a value", []string{"X-A", "1\rX-Evil: 1"}, ""},
		{"NUL in a value", []string{"X-A", "1\x00"}, ""},
		{"DEL in a value", []string{"X-A", "1\x7f"}, ""},
		{"line end in a name", []string{"X-A: 1\r\nX-Evil", "1"}, ""},
		{"colon in a name", []string{"X-A:", "1"}, ""},
		{"space in a name", []string{"X A", "1"}, ""},
		{"no name", []string{"", "1"}, ""},
	} {
		got := AppendUpgradeResponse([]byte("-"), []byte(rfcKey), c.extra...)
		if want := "-" + head + c.want + "\r\n"; string(got) != want {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
}

// The head ends at its empty line, whatever the fields are.
func FuzzUpgradeResponse(f *testing.F) {
	f.Add("X-A", "b", "X-C", "d")
	f.Add("X-A", "b\r\n\r\nGET", "X-C\r\n", "d")
	f.Fuzz(func(t *testing.T, name, value, name2, value2 string) {
		got := AppendUpgradeResponse(nil, []byte(rfcKey), name, value, name2, value2)
		if i := bytes.Index(got, []byte("\r\n\r\n")); i != len(got)-4 {
			t.Fatalf("head ends at %d of %d: %q", i, len(got), got)
		}
		if lines := bytes.Count(got, []byte("\n")); lines > 7 {
			t.Fatalf("%d lines: %q", lines, got)
		}
		rest := bufio.NewReader(bytes.NewReader(append(got, "frame"...)))
		response, err := http.ReadResponse(rest, nil)
		if err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("status %d", response.StatusCode)
		}
	})
}
