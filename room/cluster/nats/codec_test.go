package nats

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
)

// full has messages of all kinds, with everything that a message may have.
func full() []*cluster.Message {
	raw := sio.Raw{JSON: []byte(`["e",{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{1, 2, 255}, {}}}
	all := cluster.Target{
		Rooms: []string{"a", "é", ""}, Except: []string{"b"}, Users: []string{"u"}, Volatile: true, NoCompress: true,
		Timeout: 1500 * time.Millisecond,
	}
	sockets := []cluster.Socket{{ID: "1"}, {
		ID: "2", Rooms: []string{"2", "r"}, User: "u", Data: sio.Raw{JSON: []byte(`{"x":1}`)},
		Handshake: cluster.Handshake{
			Headers: map[string][]string{"Cookie": {"c"}}, Query: map[string][]string{"q": {"1"}}, Auth: []byte(`{"t":1}`),
			Address: "127.0.0.1", URL: "/x", Issued: time.UnixMilli(1700000000000), Secure: true,
		},
	}}
	return []*cluster.Message{
		{Kind: cluster.Broadcast, From: "n", Data: sio.Raw{JSON: []byte(`["e"]`)}},
		{Kind: cluster.Broadcast, From: "n", Request: "q", Target: all, Data: raw},
		{Kind: cluster.SocketsJoin, From: "n", Target: all, Rooms: []string{"x", "y"}},
		{Kind: cluster.SocketsLeave, Rooms: []string{"x"}},
		{Kind: cluster.DisconnectSockets, From: "n", Close: true, Target: all},
		{Kind: cluster.FetchSockets, From: "n", Request: "q", Target: all},
		{Kind: cluster.FetchSocketsResponse, From: "n", Request: "q", Sockets: sockets},
		{Kind: cluster.FetchSocketsResponse, From: "n", Request: "q"},
		{Kind: cluster.ServerSideEmit, From: "n", Request: "q", Data: raw},
		{Kind: cluster.ServerSideResponse, From: "n", Request: "q", Data: raw},
		{Kind: cluster.ClientCount, From: "n", Request: "q", Count: 1 << 20},
		{Kind: cluster.BroadcastAck, From: "n", Request: "q", Data: raw},
		{Kind: cluster.CountSockets, From: "n", Request: "q"},
		{Kind: cluster.CountResponse, From: "n", Request: "q"},
		{Kind: cluster.Refused, From: "n", Request: "q"},
		{Kind: cluster.Abandoned, From: "n", Request: "q"},
	}
}

// same reports whether two messages are the same, apart from the time zone of handshakes.
func same(a, b *cluster.Message) bool {
	x, y := *a, *b
	if len(x.Sockets) != len(y.Sockets) {
		return false
	}
	for i := range x.Sockets {
		s, u := x.Sockets[i], y.Sockets[i]
		p, _ := s.Handshake.MarshalJSON()
		q, _ := u.Handshake.MarshalJSON()
		s.Handshake, u.Handshake = cluster.Handshake{}, cluster.Handshake{}
		if s.Data.JSON == nil {
			s.Data.JSON = []byte{}
		}
		if !reflect.DeepEqual(s, u) || !bytes.Equal(p, q) {
			return false
		}
	}
	x.Sockets, y.Sockets = nil, nil
	return reflect.DeepEqual(x, y)
}

// Everything that a server sends arrives as it was.
func TestMessages(t *testing.T) {
	for _, m := range full() {
		m.Namespace = "/x"
		b, err := appendMessage(nil, m, m.From)
		if err != nil {
			t.Fatal(m.Kind, err)
		}
		got, err := readMessage(b[2:], "/x", &sender{})
		if err != nil || !same(m, got) {
			t.Errorf("%v: %v\n got %+v\nwant %+v", m.Kind, err, got, m)
		}
	}
}

// Whatever is cut off, added or changed in a message is refused, or is another message; nothing panics.
func TestMessagesRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range full() {
		b, _ := appendMessage(nil, m, m.From)
		for i := range b[2:] {
			if _, err := readMessage(b[2:2+i], "/", &sender{}); err == nil {
				t.Fatalf("%v of %d bytes was taken as a whole", m.Kind, i)
			}
		}
		if _, err := readMessage(append(bytes.Clone(b[2:]), 0), "/", &sender{}); err == nil {
			t.Errorf("%v with a byte too many", m.Kind)
		}
		for range 2000 {
			bad := bytes.Clone(b[2:])
			bad[r.IntN(len(bad))] = byte(r.Uint32())
			_, _ = readMessage(bad, "/", &sender{})
		}
	}
	huge := binary.AppendUvarint(nil, 100<<20)
	event := func(parts uint64, rest ...byte) []byte {
		return append(binary.AppendUvarint([]byte{byte(cluster.Broadcast), 1, 'n', 0}, parts), rest...)
	}
	for what, b := range map[string][]byte{
		"nothing": nil, "an unknown kind": {99, 1, 'n', 0, 0}, "a heartbeat": {byte(cluster.Heartbeat), 1, 'n', 0, 0},
		"news of a node": {byte(cluster.NodeLeft), 1, 'n', 0, 0}, "an unknown part": event(partsEnd),
		"all bits": event(1<<63 | hasData), "a long name": append([]byte{byte(cluster.Broadcast)}, huge...),
		"many rooms": event(hasTargetRooms, huge...), "many attachments": event(hasAttachments, huge...),
		"long data": event(hasData, huge...), "many sockets": event(hasSockets, huge...),
		"no event": event(0), "an event that is no list": event(hasData, 2, '{', '}'),
		"a number of eleven bytes":    event(hasCount, bytes.Repeat([]byte{0xff}, 11)...),
		"a count beyond 32 bits":      event(hasCount, binary.AppendUvarint(nil, 1<<40)...),
		"a question without an asker": {byte(cluster.FetchSockets), 0, 1, 'q', 0},
		"an answer to nothing":        {byte(cluster.CountResponse), 1, 'n', 0, 0},
		"a move without rooms":        {byte(cluster.SocketsJoin), 1, 'n', 0, 0},
		"a bad handshake":             append([]byte{byte(cluster.FetchSocketsResponse), 1, 'n', 1, 'q', 0x80, 0x10, 1, 1, 's', 0, 0}, 1, '{', 0, 0),
	} {
		if m, err := readMessage(b, "/", &sender{}); err == nil {
			t.Errorf("%s: %+v", what, m)
		}
	}
}

// Parts of a message become the message; what does not fit is refused, and what is held is bounded.
func TestParts(t *testing.T) {
	now := time.Now()
	long := []byte(strings.Repeat("0123456789", 500))
	parts := func(from string, number uint64) (out [][]byte) {
		if err := split(long, from, number, 600, func(part []byte) error {
			if len(part) > 600 {
				t.Fatal(len(part))
			}
			out = append(out, bytes.Clone(part)[2:])
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	p := partials{longest: 10_000, bytesMax: 20_000}
	a, b := parts("a", 1), parts("b", 1)
	for i := range a { // two nodes at a time
		for _, part := range [][]byte{a[i], b[i]} {
			got, err := p.add(part, now)
			if err != nil || (i == len(a)-1) != (got != nil) || got != nil && !bytes.Equal(got, long) {
				t.Fatal(i, err, len(got))
			}
		}
	}
	if p.bytes != 0 || len(p.by) != 0 {
		t.Fatal(p)
	}
	if err := split(long, strings.Repeat("n", 600), 1, 600, nil); err == nil {
		t.Error("there is no room for anything")
	}
	other := parts("a", 2)
	for what, list := range map[string][][]byte{
		"a gap": {a[0], a[2]}, "a part twice": {a[0], a[1], a[1]}, "the middle": {a[1]}, "of another message": {a[0], other[1]},
		"cut off": {a[0][:3]}, "nothing": {nil},
	} {
		p := partials{longest: 10_000, bytesMax: 20_000}
		var err error
		for _, part := range list {
			_, err = p.add(part, now)
		}
		if err == nil || p.bytes != 0 {
			t.Errorf("%s: %v, %d bytes are held", what, err, p.bytes)
		}
	}
	p = partials{longest: 4_999, bytesMax: 20_000}
	if _, err := p.add(a[0], now); err == nil {
		t.Error("longer than possible")
	}
	p = partials{longest: 10_000, bytesMax: 1_000}
	if _, err := p.add(a[0], now); err != nil {
		t.Error(err)
	}
	if _, err := p.add(b[0], now); err == nil || p.bytes > 1_000 {
		t.Error("more than may be held", err)
	}
	p = partials{longest: 10_000, bytesMax: 1 << 20}
	for i := range 1000 {
		_, _ = p.add(parts(brokertest.Number(i), 1)[0], now)
	}
	if len(p.by) > partialsMax {
		t.Error(len(p.by))
	}
	if _, err := p.add(a[0], now.Add(2*partialTime)); err != nil || len(p.by) != 1 {
		t.Error("old ones are kept", err, len(p.by))
	}
}

// News arrive as they were, and bad ones are refused.
func TestNews(t *testing.T) {
	n := news{verb: verbChange, node: "n", began: 1 << 60, version: 7, namespaces: []string{"/", "/é"}, gone: []string{"/x"}}
	b := appendNews(nil, &n)
	if got, err := readNews(b[2:]); err != nil || !reflect.DeepEqual(got, n) {
		t.Fatal(got, err)
	}
	for i := range b[2:] {
		if _, err := readNews(b[2 : 2+i]); err == nil {
			t.Fatal(i)
		}
	}
	for _, bad := range []news{{verb: 0, node: "n"}, {verb: verbEnd, node: "n"}, {verb: verbHello}} {
		if _, err := readNews(appendNews(nil, &bad)[2:]); err == nil {
			t.Errorf("%+v", bad)
		}
	}
}

// FuzzMessage checks that any message is refused or can be sent on as it is.
func FuzzMessage(f *testing.F) {
	for _, m := range full() {
		b, _ := appendMessage(nil, m, m.From)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, rest, err := frame(b)
		if err != nil || kind != frameMessage {
			return
		}
		m, err := readMessage(rest, "", &sender{})
		if err != nil {
			return
		}
		again, err := appendMessage(nil, m, m.From)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readMessage(again[2:], "", &sender{})
		if err != nil || !same(m, got) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, m)
		}
	})
}

// FuzzParts checks that any parts are refused or become messages, within bounds.
func FuzzParts(f *testing.F) {
	_ = split([]byte(strings.Repeat("x", 200)), "n", 1, 100, func(part []byte) error {
		f.Add(bytes.Clone(part[2:]), bytes.Clone(part[2:]))
		return nil
	})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		p := partials{longest: 1000, bytesMax: 1500}
		for _, part := range [][]byte{a, b, a} {
			whole, _ := p.add(part, time.Now())
			if len(whole) > 1000 || p.bytes > 1500 || len(p.by) > 2 {
				t.Fatal(len(whole), p)
			}
		}
	})
}

// FuzzNews checks that any news are refused or can be told again, and that they do no harm to the accounts.
func FuzzNews(f *testing.F) {
	for v := verbHello; v < verbEnd; v++ {
		f.Add(appendNews(nil, &news{verb: v, node: "n", began: 1, version: 1, namespaces: []string{"/"}, gone: []string{"/x"}})[2:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := readNews(b)
		if err != nil {
			return
		}
		if again, err := readNews(appendNews(nil, &n)[2:]); err != nil || !reflect.DeepEqual(n, again) {
			t.Fatalf("%v: %+v, %+v", err, n, again)
		}
		p := newPresence("me", presenceTimes{}, 1, func(string, string) {}, func() {})
		p.receive(&n, time.Now())
		p.receive(&n, time.Now())
		_ = p.letters(true, time.Now())
		if len(p.others) > 1 {
			t.Fatal(p.others)
		}
	})
}

// BenchmarkEncode and BenchmarkDecode take an event of 200 bytes to one room.
func BenchmarkEncode(b *testing.B) {
	m := benchEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = appendMessage(buf[:0], m, m.From)
	}
}

func BenchmarkDecode(b *testing.B) {
	m := benchEvent()
	buf, _ := appendMessage(nil, m, m.From)
	last := sender{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readMessage(buf[2:], "/", &last); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEvent() *cluster.Message {
	return &cluster.Message{
		Kind: cluster.Broadcast, From: broker.NewID(), Target: cluster.Target{Rooms: []string{"room"}},
		Data: sio.Raw{JSON: []byte(`["event",1,"` + strings.Repeat("x", 200) + `"]`)},
	}
}
