package wsframe

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The examples of RFC 6455 section 5.7.
func TestFramesOfSection57(t *testing.T) {
	kib, big := strings.Repeat("k", 256), strings.Repeat("B", 65536)
	server, client := &Limits{}, &Limits{Client: true}
	for _, c := range []struct {
		name    string
		encoded []byte
		want    string
		lim     *Limits
		event   event
	}{
		{"text", AppendFrame(nil, ws.OpText, []byte("Hello")), "81 05 48 65 6c 6c 6f", client, text("Hello")},
		{"masked text", frame(ws.OpText, true, "Hello"), "81 85 37 fa 21 3d 7f 9f 4d 51 58", server, text("Hello")},
		{"fragmented text",
			join(append(AppendHeader(nil, ws.OpText, false, 3), "Hel"...), append(AppendHeader(nil, ws.OpContinuation, true, 2), "lo"...)),
			"01 03 48 65 6c 80 02 6c 6f", client, text("Hello")},
		{"ping", AppendFrame(nil, ws.OpPing, []byte("Hello")), "89 05 48 65 6c 6c 6f", client, ping("Hello")},
		{"masked pong", frame(ws.OpPong, true, "Hello"), "8a 85 37 fa 21 3d 7f 9f 4d 51 58", server, pong("Hello")},
		{"256 bytes", AppendFrame(nil, ws.OpBinary, []byte(kib)), "82 7e 01 00 " + hex.EncodeToString([]byte(kib)), client, bin(kib)},
		{"64 KiB", AppendFrame(nil, ws.OpBinary, []byte(big)), "82 7f 00 00 00 00 00 01 00 00" + hex.EncodeToString([]byte(big)), client, bin(big)},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := unhex(t, c.want)
			if !bytes.Equal(c.encoded, want) {
				t.Errorf("got % .40x, want % .40x", c.encoded, want)
			}
			got, err := readAll(want, c.lim, atOnce)
			if err == nil {
				err = got.equal(outcome{events: []event{c.event}, taken: len(want)})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAppendMaskedFrame(t *testing.T) {
	for size := range 300 {
		payload := []byte(strings.Repeat("0123456789abcdef!", 20)[:size])
		given := bytes.Clone(payload)
		got := AppendMaskedFrame([]byte("head"), ws.OpBinary, size%2 == 0, testMask, payload)
		want := append([]byte("head"), ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(ws.OpBinary, size%2 == 0, given), testMask))...)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: got % x, want % x", size, got, want)
		}
		if !bytes.Equal(payload, given) {
			t.Fatalf("%d bytes: payload changed", size)
		}
	}
}

func TestFrameAllocations(t *testing.T) {
	payload := make([]byte, 1000)
	room := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() {
		room = AppendFrame(room[:0], ws.OpText, payload)
		room = AppendMaskedFrame(room, ws.OpPong, true, testMask, payload[:125])
		room = AppendClose(room, ws.StatusGoingAway, "bye")
	}); n != 0 {
		t.Errorf("%v allocations with room", n)
	}
}
