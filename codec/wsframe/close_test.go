package wsframe

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

func TestValidCloseCode(t *testing.T) {
	valid := func(code int) bool { // RFC 6455 section 7.4 and its registry
		switch {
		case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
			return true
		}
		return false
	}
	for code := range 1 << 16 {
		if got := ValidCloseCode(ws.StatusCode(code)); got != valid(code) {
			t.Errorf("%d: %v", code, got)
		}
		// gobwas/ws does not know the codes that were registered later.
		known := ws.CheckCloseFrameData(ws.StatusCode(code), "") == nil
		if later := code >= 1012 && code <= 1014; code < 5000 && !later && known != valid(code) {
			t.Errorf("%d: gobwas/ws says %v", code, known)
		}
	}
}

func TestAppendClose(t *testing.T) {
	const empty = "\x88\x00"
	a123 := strings.Repeat("a", 123)
	for _, c := range []struct {
		name   string
		code   ws.StatusCode
		reason string
		want   string
	}{
		{"no code", 0, "lost", empty},
		{"1005", ws.StatusNoStatusRcvd, "lost", empty},
		{"1006", ws.StatusAbnormalClosure, "lost", empty},
		{"1015", ws.StatusTLSHandshake, "", empty},
		{"999", 999, "", empty},
		{"5000", 5000, "", empty},
		{"no reason", ws.StatusNormalClosure, "", "\x88\x02\x03\xe8"},
		{"reason", ws.StatusProtocolError, "no", "\x88\x04\x03\xeano"},
		{"private code", 4999, "é", "\x88\x04\x13\x87é"},
		{"123 bytes", ws.StatusNormalClosure, a123, "\x88\x7d\x03\xe8" + a123},
		{"124 bytes", ws.StatusNormalClosure, a123 + "a", "\x88\x7d\x03\xe8" + a123},
		{"rune of two across the limit", ws.StatusNormalClosure, a123[:122] + "é", "\x88\x7c\x03\xe8" + a123[:122]},
		{"rune of four across the limit", ws.StatusNormalClosure, a123[:120] + "😀", "\x88\x7a\x03\xe8" + a123[:120]},
		{"rune of four at the limit", ws.StatusNormalClosure, a123[:119] + "😀!", "\x88\x7d\x03\xe8" + a123[:119] + "😀"},
		{"replacement character", ws.StatusNormalClosure, "\ufffd.", "\x88\x06\x03\xe8\ufffd."},
		{"not UTF-8", ws.StatusNormalClosure, "ab\xffcd", "\x88\x04\x03\xe8ab"},
	} {
		got := AppendClose([]byte("-"), c.code, c.reason)
		if string(got) != "-"+c.want {
			t.Errorf("%s: got %q, want %q", c.name, got[1:], c.want)
		}
	}
}

// This package and gobwas/ws can both read the frames of AppendClose.
func FuzzClose(f *testing.F) {
	f.Add(uint16(1000), "bye")
	f.Add(uint16(1005), strings.Repeat("é", 80))
	f.Add(uint16(4000), "\xf0\x9f\x98")
	f.Fuzz(func(t *testing.T, code uint16, reason string) {
		encoded := AppendClose(nil, ws.StatusCode(code), reason)
		theirs, err := ws.ReadFrame(bytes.NewReader(encoded))
		if err != nil || !theirs.Header.Fin || theirs.Header.OpCode != ws.OpClose || len(theirs.Payload) > 125 {
			t.Fatalf("% x: %+v, %v", encoded, theirs.Header, err)
		}
		var r Reader
		var msg Message
		n, err := r.Next(encoded, &Limits{Client: true}, &msg)
		if n != len(encoded) || err != nil || msg.Kind != Close {
			t.Fatalf("% x: n %d, err %v, %v", encoded, n, err, msg.Kind)
		}
		want := ws.StatusNoStatusRcvd
		if ValidCloseCode(ws.StatusCode(code)) {
			want = ws.StatusCode(code)
		}
		if msg.Code != want || !strings.HasPrefix(reason, string(msg.Data)) || !utf8.Valid(msg.Data) {
			t.Fatalf("%d %q became %d %q", code, reason, msg.Code, msg.Data)
		}
		if want == ws.StatusNoStatusRcvd {
			return
		}
		if utf8.ValidString(reason) && len(reason)-len(msg.Data) > 0 && len(msg.Data) < 120 {
			t.Fatalf("%q was cut to %q", reason, msg.Data)
		}
	})
}
