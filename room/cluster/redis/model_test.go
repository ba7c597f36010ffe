package redis

import (
	"bufio"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// bareFormat is an adapter without connections for a format.
func bareFormat(node string, f Format, rooms RoomMode) (*Adapter, *space, *[]*cluster.Message) {
	a, sp, got := bare(node)
	a.cfg.Format, a.cfg.Rooms = f, rooms
	a.format = newFormat(a)
	return a, sp, got
}

// Everything that the sharded adapter of the reference publishes is understood, and encoded again to the same bytes, or
// to the same MessagePack where it holds binary data.
func TestShardedGolden(t *testing.T) {
	for mode, file := range map[RoomMode]string{
		RoomsOneByOne: "redis-sharded-dynamic.jsonl", RoomsStatic: "redis-sharded-static.jsonl", RoomsPrivate: "redis-sharded-dynamic-private.jsonl",
	} {
		for _, s := range samples(t, file) {
			checkModel(t, Sharded, mode, &s)
		}
	}
}

// checkModel decodes and encodes a message of the model.
func checkModel(t *testing.T, f Format, mode RoomMode, s *sample) {
	t.Helper()
	a, sp, got := bareFormat("other", f, mode)
	var e struct {
		UID, NSP string
		Type     cluster.Kind
		Data     struct{ RequestID string }
	}
	if err := stdjson.Unmarshal(s.Decoded, &e); err != nil {
		t.Fatal(err)
	}
	sp.name = e.NSP
	if q := map[cluster.Kind]cluster.Kind{8: 7, 10: 9, 11: 3}[e.Type]; q != 0 {
		_ = a.questions.add(sp, &cluster.Message{Kind: q, Request: e.Data.RequestID})
	}
	if err := a.format.decode(sp, &delivery{role: roleBroadcast, channel: s.Channel, payload: string(s.Payload)}); err != nil || len(*got) != 1 {
		t.Errorf("%s: %v, %d messages", s.Step, err, len(*got))
		return
	}
	m := (*got)[0]
	if m.Kind != e.Type || m.From != e.UID || m.Request != e.Data.RequestID {
		t.Errorf("%s: %+v", s.Step, m)
	}
	if s.Step == "broadcast-numeric-room" {
		return // it is there as a text, too
	}
	b, _, _ := bareFormat(e.UID, f, mode)
	asker := ""
	if parts := strings.Split(s.Channel, "#"); m.Kind >= 8 && m.Kind != 9 && len(parts) > 2 {
		asker = parts[2]
	}
	p, err := b.format.encode(m, asker)
	if err != nil || p.channel != s.Channel {
		t.Errorf("%s: channel %q, want %q, %v", s.Step, p.channel, s.Channel, err)
	}
	if string(p.payload) != string(s.Payload) && !sameJSON(plain(t, p.payload), plain(t, s.Payload)) {
		t.Errorf("%s:\n got %q\nwant %q", s.Step, p.payload, s.Payload)
	}
}

// plain returns the JSON of a payload.
func plain(t *testing.T, b []byte) []byte {
	t.Helper()
	if len(b) == 0 || b[0] == '{' {
		return b
	}
	text, attachments, err := msgpack.NewDecoder(b, nil).Value()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := sio.Raw{JSON: text, Attachments: attachments}.Inline(appendBuffer)
	return out
}

// Everything that nodes and emitters of the streams adapter send is understood, and encoded again to the same.
func TestStreamsGolden(t *testing.T) {
	entries := 0
	for _, file := range []string{"redis-streams.jsonl", "redis-streams-emitter.jsonl"} {
		f, err := os.Open(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var s struct {
				sample
				Fields       map[string]string
				DecodedData  stdjson.RawMessage `json:"decoded_data"`
				DataEncoding string             `json:"data_encoding"`
			}
			if err := stdjson.Unmarshal(lines.Bytes(), &s); err != nil {
				t.Fatal(err)
			}
			switch {
			case s.Cmd == "PUBLISH":
				checkModel(t, Streams, RoomsStatic, &s.sample)
			case s.Cmd == "XADD":
				entries++
				checkEntry(t, s.Step, s.Fields)
			}
		}
	}
	if entries < 20 {
		t.Errorf("%d entries", entries)
	}
}

// checkEntry decodes and encodes an entry of a stream.
func checkEntry(t *testing.T, step string, fields map[string]string) {
	t.Helper()
	a, sp, got := bareFormat("other", Streams, RoomsStatic)
	sp.name = fields["nsp"]
	d := &delivery{payload: fields["data"], entry: &entry{uid: fields["uid"], kind: fields["type"]}}
	if err := a.format.decode(sp, d); err != nil || len(*got) != 1 {
		t.Errorf("%s: %v, %d messages", step, err, len(*got))
		return
	}
	m := (*got)[0]
	if m.From != fields["uid"] || fmt.Sprint(int(m.Kind)) != fields["type"] {
		t.Errorf("%s: %+v", step, m)
	}
	if step == "broadcast-numeric-room" || fields["uid"] == "emitter" {
		return // another order of members, and the name of the namespace once more
	}
	b, _, _ := bareFormat(fields["uid"], Streams, RoomsStatic)
	p, err := b.format.encode(m, "")
	if err != nil || p.kind != parcelStream || p.channel != "socket.io" || p.node != fields["uid"] || p.namespace != fields["nsp"] {
		t.Errorf("%s: %+v, %v", step, p, err)
	}
	if string(p.payload) != fields["data"] {
		t.Errorf("%s:\n got %s\nwant %s", step, p.payload, fields["data"])
	}
}

// Whatever the server asks for, what is sent has all of its parts.
func TestModelSendsWhatNodesSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sent := 0
	for _, f := range []Format{Sharded, Streams} {
		a, _, _ := bareFormat("me", f, RoomsStatic)
		for range 10_000 {
			m := randomMessage(r)
			p, err := a.format.encode(m, "")
			if err != nil {
				continue
			}
			sent++
			if reason := incomplete(t, m, p); reason != "" {
				t.Fatalf("%v: %s: %q", m.Kind, reason, p.payload)
			}
		}
	}
	if sent < 10_000 {
		t.Errorf("only %d messages were sent", sent)
	}
}

// incomplete reports what a node of the reference would miss in a message.
func incomplete(t *testing.T, m *cluster.Message, p parcel) string {
	payload := p.payload
	if p.kind == parcelStream && len(payload) > 0 && payload[0] != '{' {
		payload, _ = base64.StdEncoding.DecodeString(string(payload))
	}
	var e map[string]any
	if err := stdjson.Unmarshal(plain(t, payload), &e); err != nil {
		return err.Error()
	}
	data := e
	if p.kind != parcelStream {
		data, _ = e["data"].(map[string]any)
		if e["uid"] != "me" || e["nsp"] != "/" || data == nil {
			return "envelope"
		}
	}
	opts, _ := data["opts"].(map[string]any)
	_, rooms := opts["rooms"].([]any)
	_, except := opts["except"].([]any)
	_, flags := opts["flags"].(map[string]any)
	_, moved := data["rooms"].([]any)
	_, closing := data["close"].(bool)
	_, id := data["requestId"].(string)
	packet, _ := data["packet"].(map[string]any)
	_, args := packet["data"].([]any)
	_, list := data["packet"].([]any)
	switch {
	case m.Kind <= cluster.FetchSockets && !(rooms && except && flags):
		return "options"
	case m.Kind == cluster.Broadcast && !args:
		return "packet"
	case (m.Kind == cluster.SocketsJoin || m.Kind == cluster.SocketsLeave) && !moved && len(m.Rooms) > 0:
		return "rooms"
	case m.Kind == cluster.DisconnectSockets && !closing:
		return "close"
	case m.Kind == cluster.ServerSideEmit && !list:
		return "list"
	case m.Kind == cluster.FetchSockets && !id:
		return "request id"
	}
	return ""
}

// Bad messages of the model are refused, and the server hears nothing of them.
func TestModelRefuses(t *testing.T) {
	a, sp, got := bareFormat("me", Sharded, RoomsStatic)
	_ = a.questions.add(sp, &cluster.Message{Kind: cluster.FetchSockets, Request: "asked"})
	for _, payload := range []string{
		"", "\xc0", "\x01", "{bad", "{}", "[]", "\xdf\xff\xff\xff\xff", strings.Repeat("\x81\xa1a", 100_000), strings.Repeat(`{"a":`, 100_000),
		`{"type":3,"uid":"x","nsp":"/"}`, `{"type":3,"uid":"x","nsp":"/","data":null}`, `{"type":3,"uid":"x","nsp":"/","data":[]}`,
		`{"type":3,"uid":"x","nsp":"/","data":{"packet":{"type":2,"data":["e"]}}}`,
		`{"type":3,"uid":"x","nsp":"/","data":{"packet":{"type":2,"data":"e"},"opts":{}}}`,
		`{"type":3,"uid":"x","nsp":"/","data":{"packet":{"type":0,"data":["e"]},"opts":{}}}`,
		`{"type":3,"uid":"x","nsp":"/","data":{"packet":null,"opts":{}}}`,
		`{"type":3,"uid":"x","nsp":"/","data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":"x"}}}`,
		`{"type":3,"uid":"x","nsp":"/","data":{"packet":{"type":2,"data":["e"]},"opts":{"flags":{"timeout":"x"}}}}`,
		`{"type":3,"nsp":"/","data":{"packet":{"type":2,"data":["e"]},"requestId":"r","opts":{}}}`,
		`{"type":4,"uid":"x","nsp":"/","data":{"opts":{}}}`, `{"type":5,"uid":"x","nsp":"/","data":{"rooms":["a"]}}`,
		`{"type":6,"uid":"x","nsp":"/","data":{"close":"yes","opts":{}}}`, `{"type":7,"uid":"x","nsp":"/","data":{"opts":{}}}`,
		`{"type":7,"nsp":"/","data":{"opts":{},"requestId":"r"}}`, `{"type":8,"uid":"x","nsp":"/","data":{"requestId":"asked","sockets":[1]}}`,
		`{"type":9,"uid":"x","nsp":"/","data":{"packet":"x"}}`, `{"type":10,"uid":"x","nsp":"/","data":{}}`,
		`{"type":10,"uid":"x","nsp":"/","data":{"requestId":"asked","packet":1}}`,
		`{"type":11,"uid":"x","nsp":"/","data":{"requestId":"asked","clientCount":-1}}`, `{"type":99,"uid":"x","nsp":"/","data":{}}`,
		`{"type":"3","uid":"x","nsp":"/","data":{}}`, `{"type":300,"uid":"x","nsp":"/","data":{}}`, `{"type":3,"uid":{},"nsp":"/","data":{}}`,
	} {
		err := a.format.decode(sp, &delivery{role: roleBroadcast, payload: payload})
		if err == nil || errors.Is(err, errOwn) || len(*got) > 0 {
			t.Errorf("%.100q: %v, %v", payload, err, *got)
			*got = nil
		}
	}
	s, sp, got := bareFormat("me", Streams, RoomsStatic)
	for _, d := range []delivery{
		{payload: `{}`, entry: &entry{uid: "x", kind: "99"}}, {payload: `{}`, entry: &entry{uid: "x", kind: "x"}}, {payload: `%`, entry: &entry{uid: "x", kind: "3"}},
		{payload: ``, entry: &entry{uid: "x", kind: "3"}}, {payload: `wMDA`, entry: &entry{uid: "x", kind: "3"}}, {payload: `{}`, entry: &entry{uid: "x", kind: ""}},
	} {
		if err := s.format.decode(sp, &d); err == nil || len(*got) > 0 {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// FuzzModel checks that any payload is refused or becomes messages that can be sent on.
func FuzzModel(f *testing.F) {
	for _, file := range []string{"redis-sharded-dynamic.jsonl", "redis-streams.jsonl"} {
		for _, s := range samples(f, file) {
			f.Add(string(s.Payload), "")
		}
	}
	f.Add("gqZwYWNrZXSCpHR5cGUCpGRhdGGSpm1pc3NlZMQCenqkb3B0c4Olcm9vbXOQpmV4Y2VwdJClZmxhZ3OA", "3")
	f.Fuzz(func(t *testing.T, payload, kind string) {
		format, d := Sharded, &delivery{payload: payload}
		if kind != "" {
			format, d.entry = Streams, &entry{uid: "x", kind: kind}
		}
		a, sp, got := bareFormat("me", format, RoomsStatic)
		if err := a.format.decode(sp, d); err != nil && len(*got) > 0 {
			t.Fatal("half of a message was taken:", err)
		}
		for _, m := range *got {
			p, err := a.format.encode(m, "")
			if err != nil {
				continue
			}
			if reason := incomplete(t, m, p); reason != "" && m.Kind != cluster.NodeLeft {
				t.Fatalf("%s: %q from %q", reason, p.payload, payload)
			}
		}
	})
}

// In each format, messages reach the other nodes in order, rooms as the mode says, and each node is counted once, also
// after the broker was away.
func TestFormats(t *testing.T) {
	srv := redistest.Start(t)
	for _, query := range []string{
		"adapter=classic", "adapter=classic&rooms=dynamic", "adapter=sharded&mode=static", "adapter=sharded", "adapter=sharded&mode=dynamic-private",
		"adapter=streams",
	} {
		t.Run(query, func(t *testing.T) {
			cfg := Config{URL: srv.URL(query), Prefix: fmt.Sprint("test", rand.Int64())}
			a, _ := newTestNode(t, cfg)
			b, in := newTestNode(t, cfg)
			id := strings.Repeat("i", idLength)
			watch(t, b, "mine", id)
			want := []int{}
			for round := range 3 {
				for i := range 60 {
					n := 60*round + i
					rooms := [][]string{nil, {"mine"}, {id}, {"mine", "x"}}[i%4]
					if err := a.Publish(brokertest.Event(a, brokertest.Number(n), rooms...)); err != nil {
						t.Fatal(err)
					}
					want = append(want, n)
				}
				for _, n := range want {
					if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(n) || m.From != a.Node() {
						t.Fatalf("%s, want %d", m.Data.JSON, n)
					}
				}
				want = want[:0]
				cutConnections(t, srv, a, b)
				watch(t, b, "mine", id)
				p, err := a.Peers(t.Context(), "/")
				if p.Count != 1 || err != nil {
					t.Fatal(p, err)
				}
			}
			if s := b.Stats(); s.Malformed > 0 || len(in) > 0 {
				t.Errorf("%+v, %d messages too many", s, len(in))
			}
		})
	}
}

// watch joins rooms, one of which is a socket's id.
func watch(t *testing.T, a *Adapter, room, id string) {
	t.Helper()
	if a.WatchesRooms() {
		a.RoomCreated("/", room)
	}
	if a.WatchesSockets() {
		a.SocketConnected(t.Context(), "/", id)
	}
	if err := errors.Join(a.RoomReady(t.Context(), "/", room), a.RoomReady(t.Context(), "/", id)); err != nil {
		t.Fatal(err)
	}
}

// With streams, what is emitted while the broker is down waits, within the bounds of the queue, and arrives in order
// when it is back; a node that was cut off gets what it has missed. Questions fail at once.
func TestStreamsKeepEvents(t *testing.T) {
	srv := redistest.Start(t)
	cfg := Config{URL: srv.URL("adapter=streams"), QueueMessages: 100}
	a, _ := newTestNode(t, cfg)
	b, in := newTestNode(t, cfg)
	srv.Kill()
	brokertest.Eventually(t, "down", func() bool { return a.Health().State == cluster.Down && b.Health().State == cluster.Down })
	full := 0
	for i := range 120 {
		if err := a.Publish(brokertest.Event(a, brokertest.Number(i))); errors.Is(err, cluster.ErrFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if full != 20 {
		t.Errorf("%d were refused", full)
	}
	if err := a.Publish(&cluster.Message{Kind: cluster.FetchSockets, Namespace: "/", Request: "q"}); !errors.Is(err, cluster.ErrDown) {
		t.Error(err)
	}
	srv.Restart()
	for i := range 100 {
		if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(i) {
			t.Fatalf("%s, want %d", m.Data.JSON, i)
		}
	}
	brokertest.Ready(t, a)
	brokertest.Ready(t, b)
}
