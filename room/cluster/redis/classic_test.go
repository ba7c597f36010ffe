package redis

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
)

// sample is a line of the golden data: a command that a node or an emitter of the reference sent.
type sample struct {
	Step, Cmd, Channel, Encoding string
	Payload                      []byte `json:"payload_b64"`
	Decoded                      stdjson.RawMessage
}

// samples reads the published messages of a file of golden data.
func samples(t testing.TB, file string) (out []sample) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sample
		if err := stdjson.Unmarshal(lines.Bytes(), &s); err != nil {
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

// roleOf returns the role of a channel of the classic format, and its namespace.
func roleOf(channel string) (role, string) {
	parts := strings.SplitN(channel, "#", 3)
	switch parts[0] {
	case "socket.io-request":
		return roleRequest, parts[1]
	case "socket.io-response":
		return roleResponse, parts[1]
	}
	return roleBroadcast, parts[1]
}

// meaning is a message in the words of the golden data.
func meaning(t *testing.T, m *cluster.Message) string {
	t.Helper()
	data, err := m.Data.Inline(func(dst, b []byte) []byte {
		return append(append(append(dst, `{"__bin_base64":"`...), base64.StdEncoding.EncodeToString(b)...), `"}`...)
	})
	if err != nil && len(m.Data.JSON) > 0 {
		t.Fatal(err)
	}
	return string(data)
}

// Everything that nodes and emitters of the reference send is understood, and encoded again to the same bytes where
// the order of members is the node's.
func TestClassicGolden(t *testing.T) {
	different := map[string]bool{ // what is the same value in another form
		"broadcast-date-undefined": true, "broadcast-numeric-room": true,
	}
	for _, file := range []string{"redis-classic.jsonl", "redis-classic-specific.jsonl"} {
		for _, s := range samples(t, file) {
			r, ns := roleOf(s.Channel)
			a, sp, got := bare("other")
			sp.name = ns
			registerAsked(t, a, sp, s.Payload)
			err := a.format.decode(sp, &delivery{role: r, channel: s.Channel, payload: string(s.Payload)})
			if err != nil && !(errors.Is(err, errOwn) && s.Step == "allRooms" && r == roleResponse) {
				t.Errorf("%s %s: %v", s.Step, s.Channel, err)
				continue
			}
			if len(*got) == 0 {
				continue
			}
			m := (*got)[0]
			checkMeaning(t, &s, m)
			if strings.HasPrefix(s.Step, "emitter") || different[s.Step] || s.Step == "allRooms" {
				continue
			}
			again, node := encodeAs(t, m, s.Channel)
			if !bytes.Equal(again.payload, s.Payload) && !sameJSON(again.payload, s.Payload) {
				t.Errorf("%s:\n got %q\nwant %q", s.Step, again.payload, s.Payload)
			}
			if again.channel != s.Channel && (r != roleResponse || !strings.HasPrefix(again.channel, "socket.io-response#"+ns+"#"+node)) {
				t.Errorf("%s: channel %q, want %q", s.Step, again.channel, s.Channel)
			}
		}
	}
}

// registerAsked notes the question that a payload answers, if it is an answer.
func registerAsked(t *testing.T, a *Adapter, sp *space, payload []byte) {
	var r struct {
		RequestID string
		Type      int
		Sockets   stdjson.RawMessage
	}
	if stdjson.Unmarshal(payload, &r) != nil || r.RequestID == "" {
		return
	}
	kind := map[int]cluster.Kind{6: cluster.ServerSideEmit, 8: cluster.Broadcast}[r.Type]
	if r.Sockets != nil {
		kind = cluster.FetchSockets
	}
	if kind != 0 {
		_ = a.questions.add(sp, &cluster.Message{Kind: kind, Request: r.RequestID})
	}
}

// encodeAs encodes a message as its sender would.
func encodeAs(t *testing.T, m *cluster.Message, channel string) (parcel, string) {
	t.Helper()
	a, _, _ := bare(m.From)
	node := ""
	if parts := strings.Split(channel, "#"); len(parts) > 3 {
		node = parts[2]
	}
	p, err := a.format.encode(m, node)
	if err != nil {
		t.Fatal(err)
	}
	return p, node
}

// sameJSON reports whether two texts are the same JSON but for the order of members, and the case in headers' names.
func sameJSON(a, b []byte) bool {
	var x, y any
	if stdjson.Unmarshal(a, &x) != nil || stdjson.Unmarshal(b, &y) != nil {
		return false
	}
	p, _ := stdjson.Marshal(x)
	q, _ := stdjson.Marshal(y)
	return bytes.Equal(p, q)
}

// checkMeaning compares a message with what the golden data say.
func checkMeaning(t *testing.T, s *sample, m *cluster.Message) {
	t.Helper()
	type packet struct {
		Data stdjson.RawMessage
	}
	var want struct {
		Packet stdjson.RawMessage
		Data   stdjson.RawMessage
		Opts   struct{ Rooms, Except []stdjson.RawMessage }
		Rooms  []string
		Close  bool
	}
	var list []stdjson.RawMessage
	var p packet
	if stdjson.Unmarshal(s.Decoded, &list) == nil {
		_ = stdjson.Unmarshal(list[1], &p)
		_ = stdjson.Unmarshal(list[2], &want.Opts)
	} else {
		_ = stdjson.Unmarshal(s.Decoded, &want)
		_ = stdjson.Unmarshal(want.Packet, &p)
	}
	if p.Data == nil {
		p.Data = want.Data
	}
	if p.Data != nil && m.Kind != cluster.ServerSideResponse {
		expected := strings.ReplaceAll(string(p.Data), `{"__number":"Infinity"}`, "null")
		if got := meaning(t, m); !sameJSON([]byte(got), []byte(expected)) {
			t.Errorf("%s: data %s, want %s", s.Step, got, expected)
		}
	}
	if len(want.Opts.Rooms) != len(m.Target.Rooms) || len(want.Opts.Except) != len(m.Target.Except) {
		t.Errorf("%s: target %+v, want %s", s.Step, m.Target, s.Decoded)
	}
	for i, r := range m.Target.Rooms {
		if strings.Trim(string(want.Opts.Rooms[i]), `"`) != r {
			t.Errorf("%s: room %q, want %s", s.Step, r, want.Opts.Rooms[i])
		}
	}
	if s.Step == "broadcast-volatile-compress" && (!m.Target.Volatile || !m.Target.NoCompress) {
		t.Errorf("flags %+v", m.Target)
	}
	if s.Step == "broadcast-with-ack" && m.Kind == cluster.Broadcast && m.Target.Timeout != 400*time.Millisecond {
		t.Errorf("time-out %v", m.Target.Timeout)
	}
	if want.Close != m.Close {
		t.Errorf("%s: close %v", s.Step, m.Close)
	}
}

// What is truncated, of other types or not in the format is refused, and the server hears nothing of it.
func TestClassicRefuses(t *testing.T) {
	unhex := func(s string) string {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	deepList, deepObject := strings.Repeat("\x91", 100_000), strings.Repeat(`{"a":`, 100_000)
	for name, test := range map[string]struct {
		role    role
		payload string
	}{
		"empty":                  {roleBroadcast, ""},
		"nil":                    {roleBroadcast, unhex("c0")},
		"int":                    {roleBroadcast, unhex("01")},
		"no options":             {roleBroadcast, unhex("92a16183a47479706502a46461746191a165a36e7370a12f")},
		"options nil":            {roleBroadcast, unhex("93a16183a47479706502a46461746191a165a36e7370a12fc0")},
		"packet nil":             {roleBroadcast, unhex("93a161c083a5726f6f6d7390a6657863657074" + "90a5666c61677380")},
		"data no array":          {roleBroadcast, unhex("93a16182a47479706502a464617461a16580")},
		"huge array":             {roleBroadcast, unhex("ddffffffff")},
		"huge text":              {roleBroadcast, unhex("93dbffffffff61")},
		"huge binary":            {roleBroadcast, unhex("93a16182a47479706502a46461746192a165c6ffffffff0180")},
		"deep":                   {roleBroadcast, "\x93\xa1a\x82\xa4type\x02\xa4data" + deepList},
		"behind":                 {roleBroadcast, unhex("93a16182a47479706502a46461746191a165" + "8000")},
		"rooms no list":          {roleBroadcast, unhex("93a16182a47479706502a46461746191a16581a5726f6f6d73a178")},
		"noise":                  {roleBroadcast, strings.Repeat("\xc1noise", 200_000)},
		"request empty":          {roleRequest, ""},
		"request nil":            {roleRequest, unhex("c0")},
		"request bad JSON":       {roleRequest, "{bad"},
		"request deep":           {roleRequest, deepObject},
		"request unknown type":   {roleRequest, `{"uid":"x","requestId":"r","type":99}`},
		"request without type":   {roleRequest, `{"uid":"x"}`},
		"request type text":      {roleRequest, `{"uid":"x","type":"5"}`},
		"fetch without options":  {roleRequest, `{"uid":"x","requestId":"r","type":5}`},
		"fetch from nobody":      {roleRequest, `{"requestId":"r","type":5,"opts":{"rooms":[],"except":[]}}`},
		"fetch without an id":    {roleRequest, `{"uid":"x","type":5,"opts":{"rooms":[],"except":[]}}`},
		"rooms of other types":   {roleRequest, `{"uid":"x","type":2,"opts":{"rooms":[null],"except":[]},"rooms":["a"]}`},
		"rooms an object":        {roleRequest, `{"uid":"x","type":2,"opts":{"rooms":{},"except":[]},"rooms":["a"]}`},
		"join nothing":           {roleRequest, `{"uid":"x","type":2,"opts":{"rooms":[],"except":[]}}`},
		"disconnect whom":        {roleRequest, `{"uid":"x","type":4,"close":true}`},
		"emit no list":           {roleRequest, `{"uid":"x","requestId":"r","type":6,"data":"x"}`},
		"emit nothing":           {roleRequest, `{"uid":"x","requestId":"r","type":6}`},
		"call without options":   {roleRequest, "\x84\xa3uid\xa1x\xa9requestId\xa1r\xa4type\x07\xa6packet\x82\xa4type\x02\xa4data\x91\xa1e"},
		"call without a packet":  {roleRequest, "\x84\xa3uid\xa1x\xa9requestId\xa1r\xa4type\x07\xa4opts\x80"},
		"response nil":           {roleResponse, unhex("c0")},
		"response empty":         {roleResponse, ""},
		"response to nothing":    {roleResponse, `{}`},
		"response of other type": {roleResponse, `{"requestId":"asked","type":8,"clientCount":1}`},
		"response no sockets":    {roleResponse, `{"requestId":"asked","sockets":{"a":1}}`},
		"response with numbers":  {roleResponse, `{"requestId":"asked","sockets":[1,2]}`},
		"negative count":         {roleResponse, `{"requestId":"asked","type":8,"clientCount":-1}`},
		"pickle":                 {roleResponse, "\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00."},
	} {
		t.Run(name, func(t *testing.T) {
			a, sp, got := bare("me")
			_ = a.questions.add(sp, &cluster.Message{Kind: cluster.FetchSockets, Request: "asked"})
			err := a.format.decode(sp, &delivery{role: test.role, payload: test.payload})
			if err == nil || errors.Is(err, errOwn) || len(*got) > 0 {
				t.Errorf("%v, %v", err, *got)
			}
		})
	}
}

// Messages of this node, of other namespaces on channels that look alike and answers to others are dropped and not
// counted as malformed.
func TestClassicNotForThisNode(t *testing.T) {
	a, sp, got := bare("me")
	own, _ := a.format.encode(brokertest.Event(a, `["e"]`), "")
	elsewhere := brokertest.Event(a, `["e"]`)
	elsewhere.Namespace = "/x"
	b, _, _ := bare("other")
	foreign, _ := b.format.encode(elsewhere, "")
	for name, d := range map[string]delivery{
		"own":               {roleBroadcast, own.channel, string(own.payload), nil},
		"another namespace": {roleBroadcast, foreign.channel, string(foreign.payload), nil},
		"own request":       {roleRequest, "", `{"uid":"me","type":2,"opts":{"rooms":[],"except":[]},"rooms":["a"]}`, nil},
		"answer to another": {roleResponse, "", `{"requestId":"x","sockets":[]}`, nil},
		"rooms for another": {roleResponse, "", `{"requestId":"x","rooms":[]}`, nil},
	} {
		if err := a.format.decode(sp, &d); !errors.Is(err, errOwn) || len(*got) > 0 {
			t.Errorf("%s: %v %v", name, err, *got)
		}
	}
}

// Requests of earlier versions are answered in their form: the sockets' ids, the rooms, or by the node with the socket.
func TestClassicEarlierRequests(t *testing.T) {
	sockets := []cluster.Socket{{ID: "s1", Rooms: []string{"s1", "a"}}, {ID: "s2", Rooms: []string{"s2", "a"}}}
	for request, want := range map[string]string{
		`{"uid":"x","requestId":"r","type":0,"rooms":["a"]}`:           `{"requestId":"r","sockets":["s1","s2"]}`,
		`{"uid":"x","requestId":"r","type":1}`:                         `{"requestId":"r","rooms":["s1","a","s2"]}`,
		`{"uid":"x","requestId":"r","type":2,"sid":"s1","room":"b"}`:   `{"requestId":"r"}`,
		`{"uid":"x","requestId":"r","type":3,"sid":"s1","room":7}`:     `{"requestId":"r"}`,
		`{"uid":"x","requestId":"r","type":4,"sid":"s1","close":true}`: `{"requestId":"r"}`,
	} {
		a, sp, got := bare("me")
		if err := a.format.decode(sp, &delivery{role: roleRequest, payload: request}); err != nil {
			t.Fatal(err)
		}
		asked := (*got)[0]
		answer := &cluster.Message{Kind: cluster.FetchSocketsResponse, Namespace: "/", Request: asked.Request, Sockets: sockets}
		p, err := a.format.encode(answer, asked.From)
		if string(p.payload) != want || p.channel != "socket.io-response#/#x#" || err != nil {
			t.Errorf("%s: %s on %s, %v", request, p.payload, p.channel, err)
		}
		if strings.Contains(request, "sid") {
			if len(*got) != 2 || (*got)[1].Target.Rooms[0] != "s1" {
				t.Errorf("%s: %v", request, *got)
			}
			answer.Sockets = nil
			if p, err := a.format.encode(answer, "x"); p.channel != "" || err != nil {
				t.Errorf("a node without the socket answers %s %v", p.payload, err)
			}
		}
	}
}

// A room whose name is a number is named as a text and as a number, because sockets of the reference may be in either.
func TestClassicNumericRooms(t *testing.T) {
	a, _, _ := bare("me")
	m := brokertest.Event(a, `["e"]`, "101")
	m.Target.Except = []string{"007", "-1", "1.5", "0", "9999999999999999"}
	p, err := a.format.encode(m, "")
	text, _, _ := msgpack.NewDecoder(p.payload, nil).Value()
	want := `["me",{"type":2,"data":["e"],"nsp":"/"},` +
		`{"rooms":["101",101],"except":["007","-1","1.5","0",0,"9999999999999999"],"flags":{}}]`
	if string(text) != want || p.channel != "socket.io#/#101#" || err != nil {
		t.Errorf("%s on %s, %v", text, p.channel, err)
	}
	for kind, want := range map[cluster.Kind]string{
		cluster.SocketsJoin:  `{"uid":"me","type":2,"opts":{"rooms":["1",1],"except":[]},"rooms":["2"]}`,
		cluster.SocketsLeave: `{"uid":"me","type":3,"opts":{"rooms":["1",1],"except":[]},"rooms":["2",2]}`,
	} {
		p, err := a.format.encode(&cluster.Message{
			Kind: kind, Namespace: "/", Target: cluster.Target{Rooms: []string{"1"}}, Rooms: []string{"2"},
		}, "")
		if string(p.payload) != want || err != nil {
			t.Errorf("%s, %v", p.payload, err)
		}
	}
}

// randomMessage makes a message of any kind with any content, some of it broken.
func randomMessage(r *rand.Rand) *cluster.Message {
	texts := func() (out []string) {
		for range r.IntN(3) {
			out = append(out, []string{"", "a", "é\x00", "\xff", "room#1", strings.Repeat("x", 20)}[r.IntN(6)])
		}
		return out
	}
	data := []sio.Raw{
		{}, {JSON: []byte(`["e"]`)}, {JSON: []byte(`null`)}, {JSON: []byte(`["e",`)}, {JSON: []byte(`[]`)}, {JSON: []byte(`"x"`)},
		{JSON: []byte(`["e",{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{1}}},
		{JSON: []byte(`["e",{"_placeholder":true,"num":1}]`), Attachments: [][]byte{{1}}},
		{JSON: []byte(`["e",1e300,-0,{"a":null}]`)},
	}[r.IntN(9)]
	kinds := []cluster.Kind{
		cluster.Broadcast, cluster.SocketsJoin, cluster.SocketsLeave, cluster.DisconnectSockets, cluster.FetchSockets,
		cluster.FetchSocketsResponse, cluster.ServerSideEmit, cluster.ServerSideResponse, cluster.ClientCount, cluster.BroadcastAck,
		cluster.CountSockets,
	}
	m := &cluster.Message{
		Kind: kinds[r.IntN(len(kinds))], Namespace: "/", From: "me", Request: []string{"", "r"}[r.IntN(2)], Data: data,
		Target: cluster.Target{
			Rooms: texts(), Except: texts(), Volatile: r.IntN(2) == 0, NoCompress: r.IntN(2) == 0, Timeout: time.Duration(r.IntN(3)) * 1500,
		},
		Rooms: texts(), Close: r.IntN(2) == 0, Count: r.IntN(3),
	}
	for range r.IntN(3) {
		m.Sockets = append(m.Sockets, cluster.Socket{ID: "s", Rooms: texts(), Data: data})
	}
	return m
}

// Whatever the server asks for, what is sent is complete: nodes of the reference become deaf or end when a message
// lacks a part.
func TestClassicSendsWhatNodesSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a, _, _ := bare("me")
	sent := 0
	for range 20_000 {
		m := randomMessage(r)
		if skip, err := a.format.check(m); skip || err != nil {
			continue
		}
		p, err := a.format.encode(m, "asker")
		if err != nil || p.channel == "" {
			continue
		}
		sent++
		if reason := endsNode(p); reason != "" {
			t.Fatalf("%v %+v: %s: %q", m.Kind, m, reason, p.payload)
		}
	}
	if sent < 10_000 {
		t.Errorf("only %d messages were sent", sent)
	}
}

// endsNode reports why a node of the reference would not survive a message; empty if it would. It reads the message in
// its own way, not with the decoder under test.
func endsNode(p parcel) string {
	role, _ := roleOf(p.channel)
	var v any
	if len(p.payload) > 0 && p.payload[0] == '{' {
		if err := stdjson.Unmarshal(p.payload, &v); err != nil {
			return "no JSON"
		}
	} else {
		text, _, err := msgpack.NewDecoder(p.payload, nil).Value()
		if err != nil || stdjson.Unmarshal(text, &v) != nil {
			return "no MessagePack"
		}
	}
	options := func(v any, flags bool) bool {
		o, _ := v.(map[string]any)
		_, rooms := o["rooms"].([]any)
		_, except := o["except"].([]any)
		_, flagged := o["flags"].(map[string]any)
		return rooms && except && flagged == flags
	}
	packet := func(v any) bool {
		o, _ := v.(map[string]any)
		list, ok := o["data"].([]any)
		return ok && list != nil && o["type"] == 2.0 && o["nsp"] == "/"
	}
	o, _ := v.(map[string]any)
	if role == roleBroadcast {
		list, _ := v.([]any)
		if len(list) != 3 || list[0] != "me" || !packet(list[1]) || !options(list[2], true) {
			return "incomplete broadcast"
		}
		return ""
	}
	if o == nil {
		return "no object"
	}
	if role == roleResponse {
		if _, ok := o["requestId"].(string); !ok {
			return "answer without an id"
		}
		return ""
	}
	switch o["type"] {
	case 2.0, 3.0:
		if _, ok := o["rooms"].([]any); !ok || !options(o["opts"], false) {
			return "incomplete move"
		}
	case 4.0:
		if _, ok := o["close"].(bool); !ok || !options(o["opts"], false) {
			return "incomplete disconnect"
		}
	case 5.0:
		if !options(o["opts"], false) {
			return "incomplete fetch"
		}
	case 6.0:
		if _, ok := o["data"].([]any); !ok {
			return "server-side event without a list"
		}
	case 7.0:
		if !packet(o["packet"]) || !options(o["opts"], true) {
			return "incomplete call"
		}
	default:
		return "unknown type"
	}
	return ""
}

// FuzzClassic checks that any payload is refused or becomes messages that can be sent on.
func FuzzClassic(f *testing.F) {
	for _, file := range []string{"redis-classic.jsonl", "redis-classic-specific.jsonl"} {
		for _, s := range samples(f, file) {
			r, _ := roleOf(s.Channel)
			f.Add(byte(r), string(s.Payload))
		}
	}
	f.Fuzz(func(t *testing.T, r byte, payload string) {
		a, sp, got := bare("me")
		_ = a.questions.add(sp, &cluster.Message{Kind: cluster.FetchSockets, Request: "w_ge3p"})
		err := a.format.decode(sp, &delivery{role: role(r%3) + roleBroadcast, payload: payload})
		if err != nil && len(*got) > 0 {
			t.Fatal("half of a message was taken:", err)
		}
		for _, m := range *got {
			if m.Namespace != "/" {
				t.Fatal(m.Namespace)
			}
			p, err := a.format.encode(m, "x")
			if err == nil && p.channel != "" && m.Kind == cluster.Broadcast {
				if reason := endsNode(p); reason != "" {
					t.Fatalf("%s: %q from %q", reason, p.payload, payload)
				}
			}
		}
	})
}
