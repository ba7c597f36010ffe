package httpwire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// openings are heads as clients send them.
var openings = map[string]string{
	"node": "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: 8XM2wqQ4YfPGKmFxDm9iMA==\r\n" +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nHost: 127.0.0.1:3000\r\n\r\n",
	"chrome": "GET /socket.io/?EIO=4&transport=polling&t=abc1def2 HTTP/1.1\r\nHost: app.example.com\r\nConnection: keep-alive\r\n" +
		"sec-ch-ua-platform: \"Windows\"\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\", \"Google Chrome\";v=\"140\"\r\nsec-ch-ua-mobile: ?0\r\nAccept: */*\r\n" +
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nReferer: https://app.example.com/\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n",
	"firefox": "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:3000\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: */*\r\nAccept-Language: en-US,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Version: 13\r\nOrigin: http://localhost:3000\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: 8XM2wqQ4YfPGKmFxDm9iMA==\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-Fetch-Dest: websocket\r\nSec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n",
}

func TestPacked(t *testing.T) {
	for name, head := range openings {
		packed := AppendPacked(nil, []byte(head))
		if got := string(AppendUnpacked(nil, string(packed))); got != head {
			t.Errorf("%s: %q", name, got)
		}
		if len(packed)*5 > len(head)*2 {
			t.Errorf("%s: %d bytes take %d", name, len(head), len(packed))
		}
		t.Logf("%s: %d bytes take %d", name, len(head), len(packed))
	}
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	if got := AppendUnpacked(nil, string(AppendPacked(nil, all))); !bytes.Equal(got, all) {
		t.Errorf("all bytes became %q", got)
	}
	if got := AppendUnpacked([]byte("a"), "\xff"); string(got) != "a" {
		t.Errorf("half an escape became %q", got)
	}
}

// Each phrase has a code, pays off and is unique.
func TestPhrases(t *testing.T) {
	if len(phrases) > packEscape-phraseFirst {
		t.Fatalf("%d phrases have no codes", len(phrases)-(packEscape-phraseFirst))
	}
	for i, p := range phrases {
		if len(p) < 2 || len(p) > phraseMax || slices.Index(phrases[:], p) != i || strings.ContainsFunc(p, func(r rune) bool { return r > '~' }) {
			t.Errorf("%q", p)
		}
	}
}

func FuzzPacked(f *testing.F) {
	for _, head := range openings {
		f.Add([]byte(head))
	}
	f.Add([]byte("\x80\xff\xfe\x00"))
	f.Fuzz(func(t *testing.T, head []byte) {
		packed := AppendPacked(nil, head)
		if got := AppendUnpacked(nil, string(packed)); !bytes.Equal(got, head) {
			t.Errorf("%q became %q", head, got)
		}
		if len(packed) > 2*len(head) {
			t.Errorf("%d bytes take %d", len(head), len(packed))
		}
		if n := len(AppendUnpacked(nil, string(head))); n > phraseMax*len(head) {
			t.Errorf("%d bytes of anything make %d", len(head), n)
		}
	})
}

func BenchmarkAppendPacked(b *testing.B) {
	for name, head := range openings {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf, in := make([]byte, 0, 1<<10), []byte(head)
			for b.Loop() {
				buf = AppendPacked(buf[:0], in)
			}
		})
	}
}
