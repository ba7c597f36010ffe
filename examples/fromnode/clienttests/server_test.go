package clienttests

import (
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// The server does what the official client's tests expect of it.
func TestServer(t *testing.T) {
	cfg := Config()
	cfg.Recovery = server.Recovery{} // the test reads events without the offset
	ts := servertest.New(t, cfg)
	Register(ts.Server)
	for _, name := range []string{"/timeout_socket", "/valid", "/asd"} {
		if c := ts.Connect(name, nil); c.Refused() != nil {
			t.Error(name, c.Refused())
		}
	}
	for name, c := range map[string]*servertest.Client{
		"Auth failed (main namespace)":   ts.Client(servertest.Query("fail", "1")),
		"Auth failed (custom namespace)": ts.Connect("/no", nil),
	} {
		if r := c.Refused(); r == nil || r.Message != name {
			t.Error(name, r)
		}
	}
	if e := ts.Connect("/abc", map[string]string{"token": "x"}).Expect("handshake"); !strings.Contains(string(e.Args[0].JSON), `"auth":{"token":"x"}}`) {
		t.Error(e)
	}
	c := ts.Client()
	for _, test := range []struct {
		event string
		args  []any
		want  string // what comes back, in order
	}{
		{"hi", nil, "hi"}, {"false", nil, "false"}, {"doge", nil, "doge"}, {"getbin", nil, "takebin"},
		{"getDate", nil, "takeDate"}, {"getDateObj", nil, "takeDateObj"},
		{"getUtf8", nil, "takeUtf8 takeUtf8 takeUtf8 takeUtf8 takeUtf8"},
		{"buffa", []any{[]byte{1}}, "buffack"}, {"blob", []any{[]byte{1}}, "back"},
		{"jsonbuff", []any{map[string]any{"hello": "lol", "message": []byte{1}, "goodbye": "gotcha"}}, "jsonbuff-ack"},
		{"jsonblob", []any{map[string]any{"hello": "lol", "message": []byte{1}, "goodbye": "gotcha"}}, "jsonblob-ack"},
		{"jsonbuff", []any{map[string]any{"hello": "lol", "goodbye": "gotcha"}}, ""},
		{"abuff2", []any{"x"}, ""}, {"abuff1", []any{[]byte{1}}, ""}, {"abuff2", []any{"x"}, "abuff2-ack"},
		{"blob3", []any{[]byte{1}}, ""}, {"blob1", []any{[]byte{1}}, ""}, {"blob2", []any{"second"}, ""}, {"blob3", []any{[]byte{1}}, "blob3-ack"},
	} {
		c.Emit(test.event, test.args...)
		var got []string
		for _, e := range c.Events() {
			got = append(got, e.Name)
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: %q", test.event, text)
		}
	}
	c.On("ack", func(servertest.Event) []any { return []any{5, map[string]any{"test": true}} })
	c.Emit("ack")
	c.Expect("got it")
	for event, want := range map[string]string{"getId": `"` + c.ID() + `"`, "getHandshake": `{"headers":`, "echo": `[1,{"a":2}]`, "getAckDate": `"20`} {
		var args []any
		if event == "echo" {
			args = []any{[]any{1, map[string]int{"a": 2}}}
		}
		if a := c.EmitAck(event, args...); !strings.HasPrefix(string(a.Args[0].JSON), want) {
			t.Errorf("%s: %v", event, a)
		}
	}
}
