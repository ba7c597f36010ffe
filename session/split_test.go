package session

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/wsframe"
)

// dates matches what differs from second to second.
var dates = regexp.MustCompile(`Date: [^\r]*`)

// The same conversation in pieces of any size gives the same answers, on the session's loop and on another one.
func TestSplitInvariance(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	// Without a ping inside: a pong may overtake.
	fragmented := string(wsframe.AppendMaskedFrame(nil, ws.OpText, false, mask, []byte("4fr"))) +
		string(wsframe.AppendMaskedFrame(nil, ws.OpContinuation, true, mask, []byte("agment")))
	chunked := "POST " + base + "polling&sid=SID HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n4ch\r\n4\r\nunks\r\n0\r\nT: t\r\n\r\n"
	bye := request("GET", "/bye", "", "Connection: close")
	for name, text := range map[string]string{
		"polling":      postRequest("SID", "4a\x1ebAQID\x1e4€") + getRequest("SID") + postRequest("SID", "4b") + postRequest("SID", "4c") + getRequest("SID") + bye,
		"chunked":      chunked + chunked + getRequest("SID") + bye,
		"other paths":  request("GET", "/x", "") + request("HEAD", "/y", "") + request("PUT", "/z", "body") + bye + "rubbish",
		"refusals":     request("POST", base+"polling", "x") + request("GET", base+"abc", "a body") + getRequest("nobody") + postRequest("nobody", "4x") + bye,
		"waiting GET":  getRequest("SID") + postRequest("SID", "4never") + getRequest("SID"),
		"bad payload":  postRequest("SID", "4a\x1exyz") + getRequest("SID") + postRequest("SID", "4b") + bye,
		"close packet": postRequest("SID", "4a\x1e1\x1e4b") + getRequest("SID") + bye,
		"too long":     postRequest("SID", "4a") + postRequest("SID", "4"+strings.Repeat("x", 300)) + getRequest("SID"),
		"syntax":       postRequest("SID", "4a") + "GET / HTTP/1.1\r\nHost : x\r\n\r\n" + getRequest("SID"),
		"upgrade": postRequest("SID", "4a\x1e4b") + upgradeRequest("SID") + textFrame("2probe") + textFrame("5") + textFrame("4c") +
			fragmented + frame(ws.OpBinary, "bin") + textFrame("4d") + frame(ws.OpClose, "\x03\xe8") + textFrame("4e"),
		"failed upgrade": upgradeRequest("SID") + textFrame("2probe") + textFrame("4x") + textFrame("5"),
		"violation":      upgradeRequest("SID") + textFrame("2probe") + textFrame("5") + textFrame("4a") + "\x81\x01x" + textFrame("4b"),
		"too long frame": upgradeRequest("SID") + textFrame("5") + textFrame("4"+strings.Repeat("x", 300)) + textFrame("4b"),
		"bad upgrade":    strings.Replace(upgradeRequest("SID"), testKey, "k", 1) + postRequest("SID", "4a") + bye,
	} {
		both(t, func(t *testing.T, loop int) {
			want := ""
			for _, size := range []int{1 << 20, 1, 2, 3, 7, 64} {
				r := newRig(t, 2, Config{MaxPayload: 200, MaxRequestBody: 400, CORS: CORS{Origins: []string{"*"}}}).echo()
				sid := r.poll(0)
				p := r.dial(loop)
				for rest := strings.ReplaceAll(text, "SID", sid); rest != ""; {
					n := min(size, len(rest))
					p.write(rest[:n])
					rest = rest[n:]
				}
				r.loops[0].Do(func() { r.last().s.Send(message(3), false) })
				r.run()
				r.advance(2 * leaveGrace)
				_, err := p.conn.Closed()
				got := fmt.Sprintf("%q\nclosed %v %v, session closed %v, got %q", dates.ReplaceAllString(strings.ReplaceAll(string(p.pull()), sid, "SID"), "Date: now"),
					p.isClosed(), err, r.last().closed, r.last().got)
				if want == "" {
					want = got
				} else if got != want {
					t.Errorf("%s in pieces of %d:\n%s\nin one:\n%s", name, size, got, want)
				}
			}
			if len(want) < 100 {
				t.Errorf("%s: hardly anything came: %s", name, want)
			}
		})
	}
}
