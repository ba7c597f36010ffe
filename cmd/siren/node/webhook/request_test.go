package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
)

func TestRequest(t *testing.T) {
	b := webhooktest.New(t)
	key := "the second key"
	s := newSender(t, webhook.Config{URL: b.URL + "/hooks?x=1", Node: "n1", Secrets: []string{"first", "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))}})
	d := &webhook.Data{
		Namespace: "/chat", Socket: "id", User: "ann", Claims: []byte(`{"sub":"ann"}`), Address: "::1",
		Headers: map[string]string{"cookie": "a\xff"}, Query: map[string]any{"EIO": "4", "x": []string{"1", "2"}}, Auth: []byte(`{"a":1}`),
	}
	if a, err := s.Connect(t.Context(), d); err != nil || !a.Allow {
		t.Fatal(a, err)
	}
	d.Event, d.Args = "say", []byte(`["hi",1.50]`)
	if _, err := s.Event(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := s.Disconnect(&webhook.Data{Namespace: "/", Socket: "id", Reason: "transport close"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := b.Requests()
	common := `"headers":{"cookie":"a` + "\ufffd" + `"},"query":{"EIO":"4","x":["1","2"]},"auth":{"a":1}`
	for i, want := range []string{
		`{"type":"socket.connect","timestamp":T,"node":"n1","data":{"namespace":"/chat","socket":"id","user":"ann","claims":{"sub":"ann"},"address":"::1",` + common + `}}`,
		`{"type":"socket.event","timestamp":T,"node":"n1","data":{"namespace":"/chat","socket":"id","user":"ann","claims":{"sub":"ann"},"address":"::1",` + common + `,"event":"say","args":["hi",1.50]}}`,
		`{"type":"socket.disconnect","timestamp":T,"node":"n1","data":{"namespace":"/","socket":"id","user":"","claims":null,"address":"","headers":{},"query":{},"auth":null,"reason":"transport close"}}`,
	} {
		r := got[i]
		var m struct{ Timestamp string }
		if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("2006-01-02T15:04:05.000Z", m.Timestamp)
		if err != nil || time.Since(at) > time.Minute {
			t.Errorf("timestamp %q: %v", m.Timestamp, err)
		}
		if text := strings.Replace(r.Body, `"`+m.Timestamp+`"`, "T", 1); text != want {
			t.Errorf("%s\nwant %s", text, want)
		}
		if n, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64); err != nil || time.Since(time.Unix(n, 0)) > time.Minute {
			t.Errorf("webhook-timestamp %q", r.Header.Get("webhook-timestamp"))
		}
		if !r.Signed("first") || !r.Signed(key) || r.Signed("whsec_") {
			t.Errorf("signature %q", r.Header.Get("webhook-signature"))
		}
		if ct := r.Header.Get("Content-Type"); ct != "application/json" || !strings.HasPrefix(r.Header.Get("webhook-id"), "msg_") || r.Header["Idempotency-Key"] != nil {
			t.Errorf("%v", r.Header)
		}
	}
	if a, b := got[0].Header.Get("webhook-id"), got[1].Header.Get("webhook-id"); a == b {
		t.Error("two hooks with the same id")
	}
}
