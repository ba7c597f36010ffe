package session

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
)

// scriptText takes a JSONP answer apart.
func scriptText(t *testing.T, a *response, index string) (payload string) {
	t.Helper()
	inner, ok := strings.CutPrefix(a.body, "___eio["+index+"](")
	inner, ok2 := strings.CutSuffix(inner, ");")
	if !ok || !ok2 || a.StatusCode != 200 || a.Header.Get("Content-Type") != typeScript {
		t.Fatalf("no script: %v %v", a, a.Header)
	}
	if err := json.Unmarshal([]byte(inner), &payload); err != nil {
		t.Fatal(err)
	}
	return payload
}

// JSONP in both revisions: responses are scripts and request bodies are forms.
func TestJSONP(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, c := range []struct{ version, body, want string }{
			{"4", "4h\u2028</script>\x1ebAQID", "4h\u2028</script>\x1ebAQID"},
			{"3", "8:4h\u2028\n\\n</6:b4AQID", "8:4h\u2028\n\\n</6:b4AQID"},
		} {
			r := newRig(t, 2, old).echo()
			as := "EIO=" + c.version + "&j=12"
			p := r.dial(0).write(strings.Replace(request("GET", base+"polling", ""), "EIO=4", as, 1))
			open := scriptText(t, p.answer(), "12")
			if c.version == "3" {
				_, open, _ = strings.Cut(open, ":")
			}
			sid := parseOpen(t, open).SID
			form := strings.ReplaceAll(strings.ReplaceAll(c.body, `\n`, "\\\n"), "\n", `\n`)
			r.post(loop, sid, "d="+url.QueryEscape(form)).want(200, "ok")
			if got := scriptText(t, r.get(loop, sid).answer(), "12"); got != c.want {
				t.Errorf("version %s: %q, want %q", c.version, got, c.want)
			}
			g := r.get(loop, sid)
			r.post(loop, sid, "4x").want(400, errorBody(eio.BadRequest)) // no form
			if got := scriptText(t, g.answer(), "12"); got != "1" && got != "1:1" {
				t.Errorf("%q", got)
			}
			r.last().wantClosed(ReasonParseError)
		}
	})
	for _, j := range []string{"abc", "", "1234567890", "-1", "1.5"} {
		r := newRig(t, 1, Config{})
		a := r.dial(0).write(request("GET", base+"polling&j="+j, "")).answer()
		if parseOpen(t, a.body); a.Header.Get("Content-Type") != typeText {
			t.Errorf("j=%q: %v", j, a)
		}
	}
}

// Browsers load scripts for pages of any origin without an Origin field, so JSONP is refused to browsers where origins
// are enforced.
func TestJSONPOrigin(t *testing.T) {
	text := request("GET", base+"polling&j=0", "")
	for _, c := range []struct {
		cors   CORS
		origin string
		ok     bool
	}{
		{CORS{}, "", true}, {CORS{Origins: []string{"http://good.example"}}, "", true},
		{CORS{Origins: []string{"http://good.example"}, Enforce: true}, "", false},
		{CORS{Origins: []string{"http://good.example"}, Enforce: true}, "Origin: http://good.example", true},
		{CORS{Origins: []string{"*"}, Enforce: true}, "", true},
	} {
		r := newRig(t, 1, Config{CORS: c.cors})
		request := text
		if c.origin != "" {
			request = strings.Replace(text, "Host:", c.origin+"\r\nHost:", 1)
		}
		if a := r.dial(0).write(request).answer(); (a.StatusCode == 200) != c.ok {
			t.Errorf("%+v: %v", c, a)
		}
	}
}
