package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Polling requests of sessions that the engine does not know are answered elsewhere, with the whole request, on any
// loop; others are not, nor is anything once nobody else is there.
func TestElsewhere(t *testing.T) {
	r := newRig(t, 2, Config{})
	own, other := r.poll(0), newRig(t, 2, Config{}).poll(1)
	asked := make(chan string, 4)
	r.engine.SetElsewhere(func(_ context.Context, request []byte) (*httpwire.Response, error) {
		asked <- string(request)
		if len(asked) > 1 {
			return nil, errors.New("unknown there too")
		}
		return &httpwire.Response{Status: 200, ContentType: typeText, Body: []byte("there"), Header: []string{"X-A", "b"}}, nil
	})
	wait := func(p *peer) *response {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			r.run()
			if a := p.answerTo("POST"); a != nil {
				return a
			}
		}
		t.Fatal("no answer")
		return nil
	}
	body := "4" + string(make([]byte, 300))
	p := r.dial(0)
	for _, part := range []string{postRequest(other, body)[:200], postRequest(other, body)[200:]} {
		p.write(part)
	}
	if a := wait(p); a.StatusCode != 200 || a.body != "there" || a.Header.Get("X-A") != "b" {
		t.Error(a)
	}
	if got := <-asked; got != postRequest(other, body) {
		t.Errorf("asked with %q", got)
	}
	asked <- "the next one is refused"
	if a := wait(p.write(getRequest(other))); a.StatusCode != 400 || a.body != errorBody(eio.SessionIDUnknown) {
		t.Error(a)
	}
	r.post(1, own, "4a").want(200, "ok")
	r.engine.SetElsewhere(nil)
	r.get(1, other).want(400, errorBody(eio.SessionIDUnknown))
	if n := r.engine.Stats().Refused[eio.SessionIDUnknown]; n != 2 {
		t.Errorf("%d refused", n)
	}
}
