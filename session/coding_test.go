package session

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
)

// inflated is an answer's body as the client gets it.
func (r *response) inflated(t *testing.T) string {
	t.Helper()
	var in io.Reader = strings.NewReader(r.body)
	var err error
	switch e := r.Header.Get("Content-Encoding"); e {
	case "gzip":
		in, err = gzip.NewReader(in)
	case "deflate":
		in, err = zlib.NewReader(in)
	case "":
	default:
		t.Fatalf("Content-Encoding %q", e)
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Polling responses from the threshold on are compressed as Accept-Encoding allows.
func TestPollingCompression(t *testing.T) {
	big := strings.Repeat("p", 1023)
	for name, tc := range map[string]struct {
		cfg            Config
		accept         string
		queue          []*eio.Frame
		body, encoding string
		vary           bool
	}{
		"gzip":             {accept: "gzip, deflate, br", queue: frames(big), encoding: "gzip", vary: true},
		"deflate":          {accept: "gzip;q=0.1, deflate", queue: frames(big), encoding: "deflate", vary: true},
		"not wanted":       {accept: "identity", queue: frames(big), vary: true},
		"not said":         {queue: frames(big), vary: true},
		"short":            {accept: "gzip", queue: frames(big[1:])},
		"together":         {accept: "gzip", queue: frames(big[:600], big[:600]), encoding: "gzip", vary: true},
		"off":              {cfg: Config{HTTPCompression: HTTPCompression{Disabled: true}}, accept: "gzip", queue: frames(big)},
		"threshold":        {cfg: Config{HTTPCompression: HTTPCompression{Threshold: 20, Level: 9}}, accept: "gzip", queue: frames(big[:100]), encoding: "gzip", vary: true},
		"no shorter":       {cfg: Config{HTTPCompression: HTTPCompression{Threshold: 2}}, accept: "gzip", queue: frames("short"), vary: true},
		"plain":            {accept: "gzip", queue: []*eio.Frame{eio.Plain(frames(big)[0])}},
		"one wants it":     {accept: "gzip", queue: append(frames("x"), eio.Plain(frames(big)[0])), encoding: "gzip", vary: true},
		"binary in base64": {accept: "gzip", queue: []*eio.Frame{eio.NewBinary(bytes.Repeat([]byte("b"), 2000))}, encoding: "gzip", vary: true},
	} {
		for _, loops := range []int{1, 2} {
			t.Run(fmt.Sprint(name, loops), func(t *testing.T) {
				r := newRig(t, loops, tc.cfg)
				sid := r.poll(0)
				want, _ := eio.AppendPayload(nil, append([]*eio.Frame(nil), tc.queue...), 1<<20)
				r.loops[0].Do(func() {
					for _, f := range tc.queue {
						r.last().s.Send(f, false)
					}
				})
				var fields []string
				if tc.accept != "" {
					fields = []string{"Accept-Encoding: " + tc.accept}
				}
				p := r.dial(loops - 1).write(request("GET", base+"polling&sid="+sid, "", fields...))
				a := p.answer()
				if a == nil || a.StatusCode != 200 || a.inflated(t) != string(want) {
					t.Fatalf("answer %v", a)
				}
				if e := a.Header.Get("Content-Encoding"); e != tc.encoding {
					t.Errorf("Content-Encoding %q, want %q", e, tc.encoding)
				}
				if v := a.Header.Get("Vary"); (v == "Accept-Encoding") != tc.vary {
					t.Errorf("Vary %q", v)
				}
				if a.ContentLength != int64(len(a.body)) {
					t.Errorf("Content-Length %d of %d", a.ContentLength, len(a.body))
				}
				// What the connection accepts is said with each request.
				r.loops[0].Do(func() { r.last().s.Send(eio.NewMessage([]byte(big)), false) })
				p.write(getRequest(sid))
				if a := p.answer(); a == nil || a.body != "4"+big {
					t.Errorf("the next answer: %v", a)
				}
			})
		}
	}
}

func frames(messages ...string) (out []*eio.Frame) {
	for _, m := range messages {
		out = append(out, eio.NewMessage([]byte(m)))
	}
	return out
}
