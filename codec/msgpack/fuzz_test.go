package msgpack

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse checks that a message is refused with an error of this package, or is a packet whose payload is JSON of a
// bounded length and which survives a round trip.
func FuzzParse(f *testing.F) {
	for _, test := range written {
		f.Add(unhex(f, test.message))
	}
	for _, test := range read {
		f.Add(unhex(f, test.message))
	}
	f.Add(unhex(f, event("92c40101"+"81ac5f706c616365686f6c646572c3")))
	f.Fuzz(func(t *testing.T, message []byte) {
		var p Packet
		if err := Parse(message, nil, &p); err != nil {
			if !errors.Is(err, ErrPacket) {
				t.Fatal(err)
			}
			return
		}
		if len(p.Data) > 0 && !json.Valid(p.Data) {
			t.Fatalf("not JSON: %q", p.Data)
		}
		if len(p.Data) > 6*len(message)+40*len(p.Attachments) {
			t.Fatalf("%d bytes of JSON from %d", len(p.Data), len(message))
		}
		again, err := Append(nil, &p)
		if err != nil {
			t.Fatal(err)
		}
		var q Packet
		if err := Parse(again, nil, &q); err != nil || !samePacket(&p, &q) {
			t.Fatalf("%v: %s %v, then %s %v", err, p.Data, p.Attachments, q.Data, q.Attachments)
		}
	})
}

// FuzzAppendValue checks that valid JSON, and nothing else, is written, and that it is read back with the same value.
func FuzzAppendValue(f *testing.F) {
	for _, test := range written {
		f.Add(test.packet.Data)
	}
	for _, text := range []string{`"\ud83d\ude00\ud83d"`, "1e19", "-0.0", `{"a":[1e2,{"a":null}]}`, " [ 1 , true ] ", `"\u00`, "01"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := AppendValue(nil, text, nil)
		if (err == nil) != json.Valid(text) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		r := reader{b: out, lim: (&Limits{Depth: depthMax}).settle()}
		if err := r.value(depthMax); err != nil || r.at != len(out) {
			t.Fatalf("%q became %x: %v", text, out, err)
		}
		var want, got any
		if json.Unmarshal(text, &want) != nil {
			return // a number out of range
		}
		if err := json.Unmarshal(r.out, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q, %v", text, r.out, err)
		}
	})
}

// A payload for the benchmarks: a chat message with a picture.
var benchPacket = Packet{
	Type: Event, Namespace: "/chat", ID: 12, HasID: true,
	Data:        []byte(`["message",{"id":123456,"room":"general","user":{"name":"Zoë","admin":false},"text":"Good \"morning\" all, how is everybody doing today?","at":1700000000000.5,"tags":["a","b","c"]},` + ph(0) + `]`),
	Attachments: [][]byte{bytes.Repeat([]byte{1, 2, 3, 4}, 64)},
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf, _ = Append(buf[:0], &benchPacket)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParse(b *testing.B) {
	message, _ := Append(nil, &benchPacket)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		var p Packet
		if err := Parse(message, nil, &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendText(b *testing.B) {
	p := Packet{Type: Event, Namespace: "/", Data: []byte(`["tick","` + strings.Repeat("x", 4096) + `"]`)}
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf, _ = Append(buf[:0], &p)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParseText(b *testing.B) {
	message, _ := Append(nil, &Packet{Type: Event, Namespace: "/", Data: []byte(`["tick","` + strings.Repeat("x", 4096) + `"]`)})
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		var p Packet
		if err := Parse(message, nil, &p); err != nil {
			b.Fatal(err)
		}
	}
}

// Writing into a buffer with room for it allocates nothing.
func TestAppendAllocs(t *testing.T) {
	buf := make([]byte, 0, 4096)
	if _, err := Append(buf, &benchPacket); err != nil {
		t.Fatal(err)
	}
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = Append(buf, &benchPacket) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
