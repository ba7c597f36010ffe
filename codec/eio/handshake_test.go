package eio

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// A handshake's JSON is what the reference has in socket.handshake, and it is read again.
func TestHandshakeJSON(t *testing.T) {
	h := Handshake{
		Headers: map[string][]string{"Host": {"a.example"}, "X-Two": {"1", "2"}, "Cookie": {"a=1", "b=2"}},
		Query:   map[string][]string{"EIO": {"4"}, "q": {"x", "y"}},
		Auth:    []byte(`{"token":[1]}`), Address: "192.0.2.1", URL: "/socket.io/?EIO=4&q=x&q=y",
		Issued: time.UnixMilli(1_700_000_000_123), Secure: true, CrossDomain: true,
	}
	const want = `{"headers":{"cookie":"a=1; b=2","host":"a.example","x-two":"1, 2"},` +
		`"time":"Tue Nov 14 2023 22:13:20 GMT+0000 (Coordinated Universal Time)","address":"192.0.2.1","xdomain":true,` +
		`"secure":true,"issued":1700000000123,"url":"/socket.io/?EIO=4\u0026q=x\u0026q=y","query":{"EIO":"4","q":["x","y"]},` +
		`"auth":{"token":[1]}}`
	got, err := json.Marshal(h)
	if string(got) != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	var back Handshake
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	h.Headers["X-Two"], h.Headers["Cookie"] = []string{"1, 2"}, []string{"a=1; b=2"}
	if !reflect.DeepEqual(back, h) {
		t.Errorf("%+v", back)
	}
	if got, err := json.Marshal(Handshake{}); err != nil || json.Unmarshal(got, &back) != nil {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{`5`, `{"query":{"a":5}}`, `{"headers":{"a":[1]}}`, `{"issued":"x"}`} {
		if json.Unmarshal([]byte(bad), &back) == nil {
			t.Error(bad)
		}
	}
}

// FuzzHandshakeJSON reads what other nodes may send.
func FuzzHandshakeJSON(f *testing.F) {
	f.Add([]byte(`{"headers":{"a":"b"},"query":{"q":["x"]},"issued":1,"auth":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again Handshake
		if h.UnmarshalJSON(b) != nil {
			return
		}
		out, err := json.Marshal(h)
		if err != nil || json.Unmarshal(out, &again) != nil || !again.Issued.Equal(h.Issued) || again.URL != h.URL {
			t.Errorf("%s: %s, %v", b, out, err)
		}
	})
}
