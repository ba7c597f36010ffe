package eio

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// The open packet contains the heartbeat settings and maxPayload.
func TestAppendOpen(t *testing.T) {
	o := OpenInfo{SID: "lv_VI97HAXpY6yYWAAAC", Upgrades: []string{"websocket"}, PingInterval: 25 * time.Second,
		PingTimeout: 20 * time.Second, MaxPayload: 1_000_000}
	const want = `0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	if got := AppendOpen(nil, &o); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	o = OpenInfo{SID: `a"b`, PingInterval: 1500 * time.Microsecond}
	const bare = `x0{"sid":"a\"b","upgrades":[],"pingInterval":1,"pingTimeout":0,"maxPayload":0}`
	if got := AppendOpen([]byte("x"), &o); string(got) != bare {
		t.Errorf("got  %s\nwant %s", got, bare)
	}
	o.Upgrades = []string{"websocket", "webtransport"}
	var back struct{ Upgrades []string }
	if err := json.Unmarshal(AppendOpen(nil, &o)[1:], &back); err != nil || !reflect.DeepEqual(back.Upgrades, o.Upgrades) {
		t.Errorf("upgrades %v %v", back.Upgrades, err)
	}
}

// Codes, texts and statuses are those of the reference server.
func TestErrorCodes(t *testing.T) {
	tests := []struct {
		code   ErrorCode
		status int
		body   string
	}{
		{TransportUnknown, 400, `{"code":0,"message":"Transport unknown"}`},
		{SessionIDUnknown, 400, `{"code":1,"message":"Session ID unknown"}`},
		{BadHandshakeMethod, 400, `{"code":2,"message":"Bad handshake method"}`},
		{BadRequest, 400, `{"code":3,"message":"Bad request"}`},
		{Forbidden, 403, `{"code":4,"message":"Forbidden"}`},
		{UnsupportedProtocolVersion, 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{99, 400, `{"code":99,"message":"Bad request"}`},
		{-1, 400, `{"code":-1,"message":"Bad request"}`},
	}
	for _, tt := range tests {
		if got := AppendError(nil, tt.code, ""); string(got) != tt.body {
			t.Errorf("%d: %s, want %s", tt.code, got, tt.body)
		}
		if got := tt.code.Status(); got != tt.status {
			t.Errorf("%d: status %d, want %d", tt.code, got, tt.status)
		}
	}
	if got := AppendError([]byte("x"), Forbidden, "say \"please\"\n"); string(got) != `x{"code":4,"message":"say \"please\"\n"}` {
		t.Errorf("got %s", got)
	}
}
