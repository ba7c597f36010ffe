package sio

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestUnmarshal(t *testing.T) {
	att := [][]byte{[]byte("A"), []byte("B"), {}}
	str := func(s string) *string { return &s }
	num := 7
	type both struct {
		Name string
		Data []byte
		Any  any
		Raw  Raw
		Blob blob
		Num  json.Number
		When time.Time
	}
	tests := []struct {
		arg  string
		att  [][]byte
		dst  any
		want any
	}{
		{`"x"`, nil, new(string), "x"}, {` "a\n\ud83d\ude00\u00fc" `, nil, new(string), "a\n😀ü"},
		{`"\ud800x\udc00"`, nil, new(string), "\ufffdx\ufffd"}, {"\"ü\xff\\n\"", nil, new(string), "ü\ufffd\n"}, {"\"ü\xffz\"", nil, new(string), "ü\ufffdz"},
		{`null`, nil, str("old"), "old"}, {`12`, nil, new(int), 12}, {`-12`, nil, new(int64), int64(-12)}, {`1.5e3`, nil, new(float64), 1500.0}, {`7`, nil, new(uint8), uint8(7)},
		{`true`, nil, new(bool), true}, {`false`, nil, &[]bool{true}[0], false}, {`"QUI="`, att, new([]byte), []byte("AB")}, {`[65,66]`, nil, new([]byte), []byte("AB")},
		{`null`, att, &[][]byte{{1}}[0], []byte(nil)}, {ph1, att, new([]byte), []byte("B")}, {ph2, att, new([]byte), []byte{}},
		{`{"num":0.1e1,"_placeholder":true,"x":{}}`, att, new([]byte), []byte("B")}, {ph1, att, new(blob), blob("B")}, {ph1, att, new(octets), octets("B")},
		{ph1, att, new(*[]byte), &[]byte{'B'}}, {`"QUI="`, att, new(blob), blob("AB")},
		{`null`, nil, new(any), nil}, {`[]`, nil, new(any), []any{}}, {`{}`, nil, new(any), map[string]any{}}, {` [ 1 , "x" , [ true , false , null ] , { "a" : -0.5e1 } ] `, nil, new(any),
			[]any{1.0, "x", []any{true, false, nil}, map[string]any{"a": -5.0}}},
		{`{"a":{"x":1},"a":{"y":2}}`, nil, new(any), map[string]any{"a": map[string]any{"y": 2.0}}}, {`{"__proto__":1}`, nil, new(any), map[string]any{"__proto__": 1.0}},
		{`12345678901234567890`, nil, new(any), 12345678901234567890.0}, {`0.` + strings.Repeat("1", 400), nil, new(any), 0.1111111111111111},
		{ph0, nil, new(any), map[string]any{"_placeholder": true, "num": 0.0}}, {ph0, att, new(any), []byte("A")},
		{`{"a":[` + ph0 + `,{"b":` + ph1 + `}],"_placeholder":false,"num":9}`, att, new(any), map[string]any{"a": []any{[]byte("A"), map[string]any{"b": []byte("B")}}, "_placeholder": false, "num": 9.0}},
		{`{"a":` + ph0 + `}`, att, new(map[string]any), map[string]any{"a": []byte("A")}}, {`[` + ph0 + `,1]`, att, new([]any), []any{[]byte("A"), 1.0}},
		{`[` + ph0 + `,` + ph2 + `]`, att, new([][]byte), [][]byte{[]byte("A"), {}}}, {`{"k":` + ph1 + `}`, att, new(map[string]blob), map[string]blob{"k": blob("B")}},
		{`{"name":"n","DATA":` + ph0 + `,"any":{"x":` + ph1 + `},"raw":[` + ph1 + `],"blob":` + ph2 + `,"num":1.50,"when":"2024-01-02T03:04:05Z","unknown":` + ph1 + `}`, att, new(both),
			both{"n", []byte("A"), map[string]any{"x": []byte("B")}, Raw{[]byte(`[` + ph1 + `]`), att}, blob{}, "1.50", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{`{"name":"n","data":"QQ==","any":` + ph0 + `,"raw":null,"num":"2","name":"m"}`, nil, new(both),
			both{Name: "m", Data: []byte("A"), Any: map[string]any{"_placeholder": true, "num": 0.0}, Raw: Raw{JSON: []byte("null")}, Num: "2"}},
		{` {"a": ` + ph0 + `} `, att, new(Raw), Raw{[]byte(`{"a": ` + ph0 + `}`), att}}, {`{"a": 1}`, nil, new(json.RawMessage), json.RawMessage(`{"a": 1}`)},
		{`400`, nil, new(json.Number), json.Number("400")}, {`[1e999]`, nil, new([]json.Number), []json.Number{"1e999"}}, {`[{"n":1},null]`, att, new([]map[string]int), []map[string]int{{"n": 1}, nil}},
		{`9`, nil, &[]any{&num}[0], &num}, {`{"Next":` + ph0 + `}`, att, new(loop), loop{[]byte("A")}},
	}
	for _, tt := range tests {
		if err := Unmarshal([]byte(tt.arg), tt.att, tt.dst); err != nil {
			t.Errorf("%s into %T: %v", tt.arg, tt.dst, err)
			continue
		}
		if got := reflect.ValueOf(tt.dst).Elem().Interface(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s into %T: %#v", tt.arg, tt.dst, got)
		}
	}
	if num != 9 {
		t.Error("pointer in an interface was not followed")
	}
}

func TestUnmarshalErrors(t *testing.T) {
	att := [][]byte{[]byte("A")}
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, tt := range []struct {
		arg string
		dst any
	}{
		{``, new(string)}, {``, new(any)}, {``, new(int)}, {`1`, nil}, {`1`, 1}, {`1`, (*int)(nil)}, {`"x"`, (*string)(nil)}, {`1`, (*any)(nil)}, {`1`, (*Raw)(nil)},
		{`1.5`, (*float64)(nil)}, {`true`, (*bool)(nil)}, {`1`, (*int64)(nil)}, {ph0, (*[]byte)(nil)}, {`1`, make(map[string]any)},
		{`1`, new(string)}, {`"x"`, new(int)}, {`1.5`, new(int)}, {`1e400`, new(any)}, {`[1e400]`, new([]any)}, {strings.Repeat("9", 400), new(float64)}, {`99999999999999999999`, new(int64)}, {`"true"`, new(bool)},
		{`{`, new(any)}, {`{} x`, new(any)}, {`{}x`, new(Raw)}, {`"a`, new(string)}, {`"a" 1`, new(string)}, {`nope`, new(Raw)}, {`01`, new(int)}, {deep, new(any)}, {deep, new(Raw)}, {deep, new([]any)}, {deep, new(loop)},
		{`{}`, new([]byte)}, {`{"_placeholder":true,"num":1}`, new([]byte)}, {`{"_placeholder":true,"num":-1}`, new(any)}, {`{"_placeholder":true}`, new(any)}, {`[{"_placeholder":true,"num":0.5}]`, new([]any)},
		{`{"a":` + ph0 + `}`, new([]byte)}, {`{"a":` + ph0 + `}`, new(blob)}, {ph1, new(blob)}, {`"x"`, new(json.Number)}, {`true`, new(json.Number)}, {`{"B":{}}`, new(inner)}, {`""`, new(json.Number)},
	} {
		err := Unmarshal([]byte(tt.arg), att, tt.dst)
		if !errors.Is(err, ErrDecode) || errors.Is(err, ErrPacket) {
			t.Errorf("%.40s into %T: %v", tt.arg, tt.dst, err)
		}
	}
}

// The result of Unmarshal does not change with the buffer that it was decoded from.
func TestUnmarshalOwns(t *testing.T) {
	att := [][]byte{[]byte("A")}
	arg := []byte(`{"a":"text","b":[1,` + ph0 + `],"c":"esc\u0041"}`)
	var v any
	var r Raw
	var s struct {
		A, C string
		B    Raw
	}
	for _, dst := range []any{&v, &r, &s} {
		if err := Unmarshal(arg, att, dst); err != nil {
			t.Fatal(err)
		}
	}
	want := string(arg)
	clear(arg)
	if string(r.JSON) != want || s.A != "text" || s.C != "escA" || string(s.B.JSON) != `[1,`+ph0+`]` ||
		!reflect.DeepEqual(v, map[string]any{"a": "text", "b": []any{1.0, []byte("A")}, "c": "escA"}) {
		t.Errorf("%q %v %v", r.JSON, s, v)
	}
}

func TestRaw(t *testing.T) {
	r := Raw{[]byte(`[` + ph1 + `,` + ph2 + `]`), [][]byte{[]byte("unused"), []byte("B"), {}}}
	c := r.Clone()
	clear(r.JSON)
	clear(r.Attachments[1])
	if string(c.JSON) != `[`+ph1+`,`+ph2+`]` || c.Attachments[0] != nil || string(c.Attachments[1]) != "B" || c.Attachments[2] == nil {
		t.Errorf("%q", c)
	}
	var got [][]byte
	if err := c.Unmarshal(&got); err != nil || len(got) != 2 || string(got[0]) != "B" {
		t.Error(got, err)
	}
	if c := (Raw{}).Clone(); c.JSON != nil || c.Attachments != nil {
		t.Error(c)
	}
	if c := (Raw{[]byte("{"), [][]byte{{1}}}).Clone(); string(c.JSON) != "{" || len(c.Attachments) != 1 {
		t.Error(c)
	}
	out, err := json.Marshal(map[string]any{"r": Raw{JSON: []byte(`{"a":1}`)}, "n": Raw{}})
	if err != nil || string(out) != `{"n":null,"r":{"a":1}}` {
		t.Error(string(out), err)
	}
	var back struct{ R Raw }
	if err := json.Unmarshal([]byte(`{"R":[1, 2]}`), &back); err != nil || string(back.R.JSON) != `[1, 2]` {
		t.Error(back, err)
	}
}

// Without attachments, Unmarshal into an any gives the result of encoding/json.
func TestAnyIsEncodingJSON(t *testing.T) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"a":3}`, `"\u0000\ud83d\ude00\ud83d\/"`, `-0`, `1E-400`, `[[],{},"",0]`, "\"\xff\xc3\x28\xe2\x82\"", `{"ke\u0079":1,"key":2}`} {
		var want, got any
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			t.Fatal(s, err)
		}
		if err := Unmarshal([]byte(s), nil, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v, %v", s, got, want, err)
		}
	}
	var f any
	if err := Unmarshal([]byte(`-0`), nil, &f); err != nil || !math.Signbit(f.(float64)) {
		t.Error(f, err)
	}
}

// Unmarshal handles every depth that Parse accepts.
func TestDeepValues(t *testing.T) {
	text := `2["x",` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `]`
	var p Packet
	if err := Parse([]byte(text), &Limits{Depth: MaxDepth}, &p); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := Unmarshal(p.Args, nil, &v); err != nil {
		t.Fatal(err)
	}
	out, _, err := AppendEvent(nil, "/", -1, "x", []any{v})
	if err != nil || !bytes.Equal(out, []byte(text)) {
		t.Error(len(out), err)
	}
}
