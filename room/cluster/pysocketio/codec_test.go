package pysocketio

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// sample is a published message of a file of golden data.
type sample struct {
	Step    string `json:"step"`
	Payload []byte `json:"payload_b64"`
	Decoded any    `json:"decoded"`
}

func samples(t testing.TB, file string) (out []sample) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var s sample
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if len(s.Payload) > 0 {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		t.Fatal("no samples in " + file)
	}
	return out
}

// TestGolden decodes what python-socketio has published.
func TestGolden(t *testing.T) {
	event := func(data string, to ...string) *cluster.Message {
		return &cluster.Message{Kind: cluster.Broadcast, Namespace: "/", Data: sio.Raw{JSON: []byte(data)}, Target: cluster.Target{Rooms: to}}
	}
	chat := event(`["my event",{"k": "v"}]`, "room1")
	chat.Namespace = "/chat"
	bin := event(`["bin",{"_placeholder": true, "num": 0}]`)
	bin.Data.Attachments = [][]byte{{1, 2, 0xff}}
	nested := event(`["bin",{"f": {"_placeholder": true, "num": 0}, "g": [{"_placeholder": true, "num": 1}, 1]}]`, "room1")
	nested.Data.Attachments = [][]byte{[]byte("ab"), []byte("cd")}
	skip, skips := event(`["my event","x"]`, "room1"), event(`["my event","x"]`)
	skip.Target.Except, skips.Target.Except = []string{"SID1"}, []string{"SID1", "SID2"}
	move := func(k cluster.Kind, room string, to string) *cluster.Message {
		return &cluster.Message{Kind: k, Namespace: "/", Rooms: []string{room}, Target: cluster.Target{Rooms: []string{to}}}
	}
	want := map[string]*cluster.Message{
		"boot": event(`["boot","x"]`), "emit-string": event(`["my event","hello"]`),
		"emit-dict-room":    event(`["my event",{"a": 1, "b": [1.5, null, true]}]`, "room1"),
		"emit-to-namespace": chat, "emit-tuple-two-args": event(`["my event","one",2]`, "room1"),
		"emit-list-one-arg": event(`["my event",[1, 2, 3]]`), "emit-none": event(`["my event"]`), "emit-empty-tuple": event(`["my event"]`),
		"emit-binary": bin, "emit-binary-nested": nested, "emit-skip-sid": skip, "emit-skip-sid-list": skips,
		"emit-room-list": event(`["my event","x"]`, "r1", "r2"), "emit-unicode": event(`["évent","\ud83d\ude00"]`),
		"enter_room": move(cluster.SocketsJoin, "room9", "SID1"), "leave_room": move(cluster.SocketsLeave, "room9", "SID1"),
		"close_room": move(cluster.SocketsLeave, "room9", "room9"),
	}
	seen := 0
	for _, s := range samples(t, "python-socketio-5.16-json.jsonl") {
		m, err := decode(s.Payload, "me")
		if err != nil || want[s.Step] == nil || !same(m, want[s.Step]) {
			t.Errorf("%s: %+v %v\nwant %+v", s.Step, m, err, want[s.Step])
		}
		seen++
		if m.Kind != cluster.Broadcast {
			continue
		}
		// Encoded again it means the same to Python.
		for i := range m.Target.Except {
			m.Target.Except[i] = (m.Target.Except[i] + strings.Repeat("x", sidLen))[:sidLen]
		}
		out, err := encode(m, "me")
		if err != nil || len(out) != 1 {
			t.Error(err)
			continue
		}
		again, err := decode(out[0], "another")
		if err != nil || !same(again, m) {
			t.Errorf("%s: %s: %+v %v", s.Step, out[0], again, err)
		}
	}
	if seen != len(want) {
		t.Error(seen)
	}
}

// same compares messages, values by their meaning.
func same(a, b *cluster.Message) bool {
	var x, y any
	if json.Unmarshal(a.Data.JSON, &x) != nil != (json.Unmarshal(b.Data.JSON, &y) != nil) || !reflect.DeepEqual(x, y) {
		return false
	}
	c, d := *a, *b
	c.Data.JSON, d.Data.JSON = nil, nil
	return reflect.DeepEqual(&c, &d) || (len(c.Target.Rooms)+len(d.Target.Rooms) == 0 && c.Kind == d.Kind && slices.Equal(c.Target.Except, d.Target.Except))
}

// TestCallback decodes a question of a program in Python, and encodes the answer as Python's own servers do.
func TestCallback(t *testing.T) {
	all := samples(t, "python-socketio-server-callback.jsonl")
	var question *cluster.Message
	var answer any
	for _, s := range all {
		m, err := decode(s.Payload, "me")
		switch method := s.Decoded.(map[string]any)["method"]; {
		case method == "callback":
			answer = s.Decoded
			if !errors.Is(err, errOwn) {
				t.Error(err)
			}
		case err != nil:
			t.Error(s.Decoded, err)
		case m.Request != "":
			question = m
		}
		if s.Decoded.(map[string]any)["event"] == "nowrap514" && string(m.Data.JSON) != `["nowrap514",{"old":"514"}]` {
			t.Errorf("%s", m.Data.JSON)
		}
	}
	if question == nil || question.From != "pysocketio:golang" || len(question.Target.Rooms) != 1 {
		t.Fatalf("%+v", question)
	}
	b, ok := appendCallback(question.From, &cluster.Message{Kind: cluster.BroadcastAck, Request: question.Request, Data: sio.Raw{JSON: []byte(`["answer",42]`)}})
	var got any
	if err := json.Unmarshal(b, &got); !ok || err != nil || !reflect.DeepEqual(got, answer) {
		t.Errorf("%s, want %v", b, answer)
	}
	if _, ok := appendCallback(question.From, &cluster.Message{Kind: cluster.ClientCount, Request: question.Request}); ok {
		t.Error("nobody wants the number")
	}
}

// TestPickle shows that pickles are refused, whatever is in them.
func TestPickle(t *testing.T) {
	for _, s := range samples(t, "python-socketio-5.7.2-pickle.jsonl") {
		if m, err := decode(s.Payload, "me"); m != nil || !errors.Is(err, errPickle) {
			t.Error(s.Step, m, err)
		}
	}
}

var malformed = []string{
	``, `{`, `null`, `[]`, `1`, `"x"`, `{}`, `{"method":"emit"}`, `{"method":"emit","event":1}`, `{"method":"emit","event":""}`,
	`{"method":"other","event":"e"}`, `{"method":"emit","event":"e","room":{}}`, `{"method":"emit","event":"e","room":[[]]}`,
	`{"method":"emit","event":"e","skip_sid":true}`, `{"method":"emit","event":"e","binary":true,"data":1}`,
	`{"method":"emit","event":"e","binary":true,"data":[]}`, `{"method":"emit","event":"e","binary":true,"data":[1,2]}`,
	`{"method":"emit","event":"e","binary":true,"data":[1,"%"]}`,
	`{"method":"emit","event":"e","binary":true,"data":[[{"_placeholder":true,"num":9}],"AA=="]}`,
	`{"method":"emit","event":"e","callback":1,"host_id":"h"}`, `{"method":"emit","event":"e","callback":[1,2],"host_id":"h"}`,
	`{"method":"emit","event":"e","callback":["r","/",1]}`, `{"method":"enter_room","sid":"s"}`, `{"method":"enter_room","room":"r"}`,
	`{"method":"close_room"}`, `{"method":"disconnect"}`, "{\"method\":\"emit\",\"event\":\"e\"}x", strings.Repeat("[", 100_000),
	`{"method":"emit","event":"e","data":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "\x00\xff\xfe",
}

func TestMalformed(t *testing.T) {
	for _, text := range malformed {
		if m, err := decode([]byte(text), "me"); err == nil {
			t.Errorf("%.60s: %+v", text, m)
		}
	}
}

// A message is told by the id of the host that has sent it, not by what looks like one in its data.
func TestNeighbours(t *testing.T) {
	in := make(chan *cluster.Message, 10)
	b := &Bridge{
		optional: optional{struct{ cluster.Adapter }{}}, cfg: Config{MaxMessage: 1 << 10}, status: broker.NewStatus(slog.Default(), nil),
		receivers: map[string]func(m *cluster.Message){"/": func(m *cluster.Message) { in <- m }},
	}
	for _, test := range []struct {
		host string
		want int
	}{{"python", 1}, {hostPrefix + "1", 0}} {
		payload := `{"method":"emit","event":"e","data":[{"host_id":"siren0"}],"namespace":"/","host_id":"` + test.host + `"}`
		b.deliver(&payload)
		if len(in) != test.want {
			t.Errorf("%s: %d messages", test.host, len(in))
		}
		if len(in) > 0 {
			<-in
		}
	}
}

// TestEncode shows what is published, and what the channel has no place for.
func TestEncode(t *testing.T) {
	sid := strings.Repeat("s", sidLen)
	event := sio.Raw{JSON: []byte(`["e",1,{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{1}}}
	for _, test := range []struct {
		m    cluster.Message
		want []string
		err  error
	}{
		{cluster.Message{Kind: cluster.Broadcast, Namespace: "/x", Data: sio.Raw{JSON: []byte(`["e"]`)}},
			[]string{`{"method":"emit","event":"e","data":[],"binary":false,"namespace":"/x","room":null,"skip_sid":null,"callback":null,"host_id":"h"}`}, nil},
		{cluster.Message{Kind: cluster.Broadcast, Namespace: "/", Data: event, Target: cluster.Target{Rooms: []string{"a", "b"}, Except: []string{sid}}},
			[]string{`{"method":"emit","event":"e","data":[[1,{"_placeholder":true,"num":0}],"AQ=="],"binary":true,"namespace":"/","room":["a","b"],"skip_sid":"` + sid + `","callback":null,"host_id":"h"}`}, nil},
		{cluster.Message{Kind: cluster.Broadcast, Data: event, Target: cluster.Target{Except: []string{"room"}}}, nil, cluster.ErrUnsupported},
		{cluster.Message{Kind: cluster.Broadcast, Data: event, Target: cluster.Target{Users: []string{"u"}}}, nil, cluster.ErrUnsupported},
		{cluster.Message{Kind: cluster.Broadcast, Data: event, Request: "r"}, nil, nil},
		{cluster.Message{Kind: cluster.FetchSockets, Request: "r"}, nil, nil},
		{cluster.Message{Kind: cluster.SocketsJoin, Namespace: "/", Target: cluster.Target{Rooms: []string{sid}}, Rooms: []string{"r", "q"}}, []string{
			`{"method":"enter_room","sid":"` + sid + `","room":"r","namespace":"/","host_id":"h"}`,
			`{"method":"enter_room","sid":"` + sid + `","room":"q","namespace":"/","host_id":"h"}`,
		}, nil},
		{cluster.Message{Kind: cluster.SocketsLeave, Namespace: "/", Target: cluster.Target{Rooms: []string{"room"}}, Rooms: []string{"r"}}, nil, nil},
		{cluster.Message{Kind: cluster.DisconnectSockets, Namespace: "/", Target: cluster.Target{Rooms: []string{sid}}},
			[]string{`{"method":"disconnect","sid":"` + sid + `","namespace":"/","host_id":"h"}`}, nil},
		{cluster.Message{Kind: cluster.DisconnectSockets, Namespace: "/"}, nil, nil},
	} {
		out, err := encode(&test.m, "h")
		if !errors.Is(err, test.err) {
			t.Errorf("%+v: %v", test.m, err)
			continue
		}
		var got []string
		for _, b := range out {
			if err == nil {
				got = append(got, string(b))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q\nwant %q", got, test.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, file := range []string{"python-socketio-5.16-json.jsonl", "python-socketio-5.7.2-pickle.jsonl", "python-socketio-server-callback.jsonl"} {
		for _, s := range samples(f, file) {
			f.Add(s.Payload)
		}
	}
	for _, text := range malformed {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := decode(payload, "me")
		if err != nil {
			return
		}
		if m.Kind == cluster.Broadcast {
			if _, err := m.Data.Inline(func(dst, b []byte) []byte { return append(dst, base64.StdEncoding.EncodeToString(b)...) }); err == nil && len(m.Data.JSON) < 4 {
				t.Errorf("%s", m.Data.JSON)
			}
		}
		if m.Request != "" {
			appendCallback(m.From, &cluster.Message{Kind: cluster.BroadcastAck, Request: m.Request, Data: sio.Raw{JSON: []byte("[]")}})
		}
		if out, err := encode(m, "me"); err == nil {
			for _, b := range out {
				if !json.Valid(b) {
					t.Errorf("%s", b)
				}
			}
		}
	})
}
