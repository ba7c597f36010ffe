package sio

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func benchParse(b *testing.B, text string) {
	in := []byte(text)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	var p Packet
	for b.Loop() {
		if err := Parse(in, nil, &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTick(b *testing.B) {
	benchParse(b, `2["tick","`+strings.Repeat("x", 128)+`"]`)
}
func BenchmarkParseSmall(b *testing.B) { benchParse(b, `2/chat,17["move",1,2.5,{"a":[1,2,3]}]`) }
func BenchmarkParseBinary(b *testing.B) {
	benchParse(b, `51-["b",{"_placeholder":true,"num":0}]`)
}
func BenchmarkParseDeep(b *testing.B) {
	benchParse(b, `2["x",`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`]`)
}
func BenchmarkParseTooDeep(b *testing.B) {
	in := []byte(`2["x",` + strings.Repeat("[", 100_000))
	b.ReportAllocs()
	var p Packet
	for b.Loop() {
		if Parse(in, nil, &p) == nil {
			b.Fatal("accepted")
		}
	}
}
func BenchmarkParseDocument(b *testing.B) {
	benchParse(b, `2["x",[`+strings.Repeat(`{"id":12345,"name":"some text of usual size","tags":["a","b"],"ok":true},`, 999)+`1]]`)
}

func benchEvent(b *testing.B, args ...any) {
	buf := make([]byte, 0, 1<<16)
	out, _, err := AppendEvent(buf, "/", -1, "tick", args)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(out)))
	for b.Loop() {
		_, _, _ = AppendEvent(buf, "/", -1, "tick", args)
	}
}

func BenchmarkEventTick128(b *testing.B)  { benchEvent(b, strings.Repeat("x", 128)) }
func BenchmarkEventTick16K(b *testing.B)  { benchEvent(b, strings.Repeat("x", 16<<10)) }
func BenchmarkEventNonASCII(b *testing.B) { benchEvent(b, strings.Repeat("ü", 64)) }
func BenchmarkEventBytes(b *testing.B)    { benchEvent(b, make([]byte, 128)) }
func BenchmarkEventRaw(b *testing.B)      { benchEvent(b, Raw{JSON: []byte(`{"a":[1,2,3],"b":"text"}`)}) }
func BenchmarkEventMap(b *testing.B) {
	benchEvent(b, map[string]any{"a": 1, "b": "text", "c": []any{1.5, true}})
}
func BenchmarkEventMapStd(b *testing.B) {
	v := map[string]any{"a": 1, "b": "text", "c": []any{1.5, true}}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = json.Marshal(v)
	}
}

var benchOrdinary = &ordinary{ID: 7, Name: "some name", Tags: []string{"a", "b"}, When: time.Unix(1, 0), Price: 1.5}

func BenchmarkEventStruct(b *testing.B) { benchEvent(b, benchOrdinary) }

// The cost of our functions for a type that needs none of them.
func BenchmarkStructByKind(b *testing.B) {
	for kind, name := range []string{"plain", "special", "named"} {
		b.Run(name, func(b *testing.B) {
			e := newEncoder()
			e.options[plainType] = e.options[kind]
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.marshal(buf, benchOrdinary); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
func BenchmarkStructStd(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = json.Marshal(benchOrdinary)
	}
}

func benchUnmarshal[T any](b *testing.B, arg string, attachments ...[]byte) {
	in := []byte(arg)
	b.ReportAllocs()
	for b.Loop() {
		var dst T
		if err := Unmarshal(in, attachments, &dst); err != nil {
			b.Fatal(err)
		}
	}
}

const benchJSON = `{"id":7,"name":"some name","tags":["a","b"],"when":"2024-01-02T03:04:05Z","price":1.5}`

func BenchmarkUnmarshalString(b *testing.B) {
	benchUnmarshal[string](b, `"`+strings.Repeat("x", 128)+`"`)
}
func BenchmarkUnmarshalInt(b *testing.B)    { benchUnmarshal[int](b, `12345`) }
func BenchmarkUnmarshalStruct(b *testing.B) { benchUnmarshal[ordinary](b, benchJSON) }
func BenchmarkUnmarshalAny(b *testing.B)    { benchUnmarshal[any](b, benchJSON) }
func BenchmarkUnmarshalAnyStd(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var v any
		_ = json.Unmarshal([]byte(benchJSON), &v)
	}
}
func BenchmarkUnmarshalBinary(b *testing.B) {
	benchUnmarshal[inner](b, `{"B":`+ph0+`}`, make([]byte, 10))
}
