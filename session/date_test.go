package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Every answer but an interim one has a Date, and one only.
func TestDate(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxPayload: 1000})
		begun := time.Now().Truncate(time.Second)
		sid := r.poll(0)
		r.loops[0].Do(func() { r.last().s.Send(eio.NewMessage([]byte("x")), false) })
		for name, text := range map[string]string{
			"handshake":    request("GET", base+"polling", ""),
			"POST":         postRequest(sid, "4x"),
			"GET":          getRequest(sid),
			"refusal":      getRequest("nobody"),
			"bad upgrade":  strings.Replace(upgradeRequest(""), testKey, "k", 1),
			"too long":     postRequest(sid, strings.Repeat("x", 1001)),
			"syntax":       "GET /\r\n\r\n",
			"method":       request("PUT", base+"polling&sid="+sid, ""),
			"another path": request("GET", "/other", ""),
		} {
			a := r.dial(loop).write(text).answer()
			if a == nil || len(a.Header["Date"]) != 1 {
				t.Errorf("%s: %v", name, a)
				continue
			}
			at, err := time.Parse(http.TimeFormat, a.Header.Get("Date"))
			if err != nil || at.Before(begun) || at.After(time.Now()) {
				t.Errorf("%s: %v, %v", name, a.Header["Date"], err)
			}
		}
		if a := r.dial(loop).write(upgradeRequest(r.poll(0))).answer(); a.StatusCode != 101 || len(a.Header["Date"]) != 0 {
			t.Errorf("101: %v", a.Header)
		}
	})
}

// The application may give its answers a Date of their own.
func TestDateOfApp(t *testing.T) {
	r := newRig(t, 1, Config{})
	r.onRequest = func(x *Exchange, req *httpwire.Request) {
		resp := &httpwire.Response{Status: 200}
		if string(req.Path) == "/field" {
			resp.Header = []string{"X-A", "b", "date", "then"}
		} else {
			resp.Date = "then"
		}
		x.Respond(resp)
	}
	for _, path := range []string{"/field", "/date"} {
		if a := r.dial(0).write(request("GET", path, "")).answer(); strings.Join(a.Header["Date"], "|") != "then" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
}

// The text is made once a second, and when the loop's clock says that a second is over.
func TestDateIsKept(t *testing.T) {
	r := newRig(t, 1, Config{})
	sh := r.engine.shards[0]
	sh.date()
	if n := testing.AllocsPerRun(100, func() { sh.date() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	sh.dateText = "kept"
	if got := sh.date(); got != "kept" {
		t.Errorf("%q is made again", got)
	}
	r.loops[0].Advance(time.Second)
	if got := sh.date(); got == "kept" {
		t.Error("it is never made again")
	}
}
