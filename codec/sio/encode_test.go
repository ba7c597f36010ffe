package sio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/codec/quote"
)

type (
	blob     []byte
	octet    byte
	octets   []octet
	textBlob []byte // has a method of its own
	inner    struct{ B []byte }
	tagged   struct {
		A string         `json:"a"`
		B []byte         `json:"b,omitempty"`
		C any            `json:"c,omitempty"`
		D *inner         `json:"d,omitempty"`
		E map[string]any `json:"e,omitempty"`
		f int
	}
	ordinary struct {
		ID    int       `json:"id"`
		Name  string    `json:"name"`
		Tags  []string  `json:"tags"`
		When  time.Time `json:"when"`
		Price float64   `json:"price,omitempty"`
		Skip  string    `json:"-"`
	}
	failing struct{}
	pointed struct{ B []byte } // MarshalJSON has a pointer receiver
	loop    struct{ Next any }
)

func (t textBlob) MarshalText() ([]byte, error) { return []byte("text:" + string(t)), nil }
func (failing) MarshalJSON() ([]byte, error)    { return nil, errors.New("will not") }
func (*pointed) MarshalJSON() ([]byte, error)   { return []byte(`"pointed"`), nil }

const ph0, ph1, ph2 = `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":2}`

func TestAppendEvent(t *testing.T) {
	raw := func(s string, list ...string) Raw {
		r := Raw{JSON: []byte(s)}
		for _, a := range list {
			r.Attachments = append(r.Attachments, []byte(a))
		}
		return r
	}
	a, b := []byte("A"), []byte("B")
	when := time.Date(2024, 2, 3, 4, 5, 6, 7, time.UTC)
	tests := []struct {
		nsp  string
		id   int64
		args []any
		want string // attachments behind a bar
	}{
		{"/", -1, nil, `2["e"]`},
		{"", 0, nil, `20["e"]`},
		{"/chat", 12, []any{"x"}, `2/chat,12["e","x"]`},
		{"/", -1, []any{1, int8(-2), uint8(3), int16(-4), uint16(5), int32(-6), uint32(7), int64(-8), uint64(math.MaxUint64), uint(9)},
			`2["e",1,-2,3,-4,5,-6,7,-8,18446744073709551615,9]`},
		{"/", -1, []any{nil, true, false, 1.5, float32(0.1), 1e21, 1e-7, 123456789.0, 1e20, 5e-324, 0.0}, `2["e",null,true,false,1.5,0.1,1e+21,1e-7,123456789,100000000000000000000,5e-324,0]`},
		{"/", -1, []any{`<a href="x">&'\` + "\u2028\u2029\x00\x1f\x7f\b\f\n\r\tü😀"}, `2["e","<a href=\"x\">&'\\` + "\u2028\u2029" + `\u0000\u001f` + "\x7f" + `\b\f\n\r\tü😀"]`},
		{"/", -1, []any{"bad\xffutf\xc3", map[string]any{"k\xff": 1}}, `2["e","bad` + "\ufffdutf\ufffd" + `",{"k` + "\ufffd" + `":1}]`},
		{"/", -1, []any{map[string]any{"b": 1, "a": []any{}, "c": map[string]any{}}}, `2["e",{"a":[],"b":1,"c":{}}]`},
		{"/", -1, []any{map[string]int{"z": 1, "y": 2}, []string{"<"}, []int(nil), []any(nil), map[string]any(nil), (*int)(nil), [2]byte{1, 2}},
			`2["e",{"y":2,"z":1},["<"],null,null,null,null,[1,2]]`},
		{"/", -1, []any{ordinary{ID: 1, Name: "<n>", When: when}}, `2["e",{"id":1,"name":"<n>","tags":null,"when":"2024-02-03T04:05:06.000000007Z"}]`},
		{"/", -1, []any{when, time.Second, netip.MustParseAddr("::1"), textBlob("x"), &pointed{}},
			`2["e","2024-02-03T04:05:06.000000007Z",1000000000,"::1","text:x","pointed"]`},
		{"/", -1, []any{json.RawMessage(`{"a" : "\u0041\ud800"}`), jsontext.Value(` 1 `), json.Number("12.50"), map[string]json.Number{"n": "1e400"}, json.RawMessage(nil)},
			`2["e",{"a" : "\u0041\ud800"},1,12.50,{"n":1e400},null]`},
		{"/", -1, []any{raw(`{"x": 400}`), Raw{}, (*Raw)(nil), raw(ph1)}, `2["e",{"x": 400},null,null,` + ph1 + `]`},
		{"/", -1, []any{raw(strings.Repeat("9", 400)), raw("\"a\xffb\"")}, `2["e",` + strings.Repeat("9", 400) + `,"a` + "\ufffd" + `b"]`},
		// attachments
		{"/", -1, []any{a}, `51-["e",` + ph0 + `]|A`},
		{"/chat", 3, []any{"x", a, b}, `52-/chat,3["e","x",` + ph0 + `,` + ph1 + `]|A|B`},
		{"/", -1, []any{[]byte(nil), []byte{}}, `51-["e",null,` + ph0 + `]|`},
		{"/", -1, []any{a, b, a, []byte{}, []byte{}}, `54-["e",` + ph0 + `,` + ph1 + `,` + ph0 + `,` + ph2 + `,{"_placeholder":true,"num":3}]|A|B||`},
		{"/", -1, []any{map[string]any{"z": a, "y": []any{b, 1}}}, `52-["e",{"y":[` + ph0 + `,1],"z":` + ph1 + `}]|B|A`},
		{"/", -1, []any{tagged{A: "x", B: a, C: b, D: &inner{[]byte("D")}, f: 1}}, `53-["e",{"a":"x","b":` + ph0 + `,"c":` + ph1 + `,"d":{"B":` + ph2 + `}}]|A|B|D`},
		{"/", -1, []any{&tagged{A: "x"}}, `2["e",{"a":"x"}]`},
		{"/", -1, []any{[][]byte{a, nil, b}, map[string][]byte{"k": a}}, `52-["e",[` + ph0 + `,null,` + ph1 + `],{"k":` + ph0 + `}]|A|B`},
		{"/", -1, []any{blob("A"), octets{1}, map[string]blob{"k": blob("B")}, struct{ X, Y any }{blob("C"), []any{octets("D")}}, blob(nil)},
			`55-["e",` + ph0 + `,` + ph1 + `,{"k":` + ph2 + `},{"X":{"_placeholder":true,"num":3},"Y":[{"_placeholder":true,"num":4}]},null]|A|` + "\x01" + `|B|C|D`},
		{"/", -1, []any{tagged{C: map[string]any{"x": []any{a, tagged{B: b}}}, E: map[string]any{"y": struct{ Z blob }{blob("C")}}}},
			`53-["e",{"a":"","c":{"x":[` + ph0 + `,{"a":"","b":` + ph1 + `}]},"e":{"y":{"Z":` + ph2 + `}}}]|A|B|C`},
		{"/", -1, []any{[]fmt.Stringer{nil}, []any{json.Number("7"), pointed{a}}}, `51-["e",[null],[7,{"B":` + ph0 + `}]]|A`},
		{"/", -1, []any{raw(`[`+ph1+`,{"x":{"num":0,"_placeholder":true,"more":`+ph1+`}},`+ph1+`]`, "A", "B")}, `52-["e",[` + ph0 + `,{"x":` + ph1 + `},` + ph0 + `]]|B|A`},
		{"/", -1, []any{a, struct{ R Raw }{raw(`{"p":`+ph1+`}`, "x", "B")}, raw(` 1 `, "unused")}, `52-["e",` + ph0 + `,{"R":{"p":` + ph1 + `}},1]|A|B`},
		{"/", -1, []any{Raw{JSON: []byte(ph0), Attachments: make([][]byte, 1)}}, `51-["e",` + ph0 + `]|`},
	}
	for _, tt := range tests {
		out, list, err := AppendEvent([]byte("prefix"), tt.nsp, tt.id, "e", tt.args)
		if err != nil {
			t.Errorf("%v: %v", tt.args, err)
			continue
		}
		got := strings.TrimPrefix(string(out), "prefix")
		text := got
		for _, a := range list {
			got += "|" + string(a)
		}
		if got != tt.want {
			t.Errorf("\n got %s\nwant %s", got, tt.want)
		}
		if p := mustParse(t, text); p.Attachments != len(list) || p.NArgs != len(tt.args) {
			t.Errorf("%s: %d attachments, %d args", text, p.Attachments, p.NArgs)
		}
	}
}

func TestAppendEventNames(t *testing.T) {
	out, _, err := AppendEvent(nil, "/", -1, "a\"<\n😀", nil)
	if err != nil || string(out) != `2["a\"<\n😀"]` {
		t.Error(string(out), err)
	}
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		out, _, err := AppendEvent([]byte("x"), "/", -1, name, nil)
		if string(out) != "x" || !errors.Is(err, ErrReserved) || !errors.Is(err, ErrEncode) || !Reserved(name) {
			t.Error(name, string(out), err)
		}
	}
	if Reserved("message") || Reserved("Connect") || Reserved("") {
		t.Error("Reserved")
	}
}

func TestAppendAck(t *testing.T) {
	for _, tt := range []struct {
		args []any
		want string
	}{
		{nil, `3/a,5[]`}, {[]any{1, "x"}, `3/a,5[1,"x"]`}, {[]any{[]byte("x")}, `61-/a,5[` + ph0 + `]`}, {[]any{Raw{JSON: []byte("[1]")}, nil}, `3/a,5[[1],null]`},
		{[]any{struct{}{}, struct{}{}}, `3/a,5[{},{}]`}, {[]any{map[string]string{"status": "ok"}}, `3/a,5[{"status":"ok"}]`},
	} {
		out, _, err := AppendAck(nil, "/a", 5, tt.args)
		if err != nil || string(out) != tt.want {
			t.Errorf("%s %v", out, err)
		}
	}
}

func TestAppendErrors(t *testing.T) {
	circle := map[string]any{}
	circle["a"] = []any{circle, circle}
	deepLoop := &loop{}
	deepLoop.Next = deepLoop
	a := []byte("A")
	for i, v := range []any{
		math.NaN(), math.Inf(1), float32(math.Inf(-1)), []any{math.NaN()}, []float64{math.NaN()}, map[string]any{"a": math.Inf(1)}, struct{ F float64 }{math.NaN()},
		make(chan int), func() {}, complex(1, 2), struct{ C chan int }{}, failing{}, []any{failing{}},
		Raw{JSON: []byte("{")}, Raw{JSON: []byte("1 2")}, Raw{JSON: []byte("[1] 2"), Attachments: [][]byte{a}}, Raw{JSON: []byte(ph1), Attachments: [][]byte{a}},
		json.RawMessage("nope"), jsontext.Value(`"`), []json.RawMessage{json.RawMessage("}")}, struct{ R Raw }{Raw{JSON: []byte("[")}},
		json.Number("x"), json.Number("1 "), []json.Number{"0x1"}, circle, deepLoop, []any{deepLoop}, Raw{JSON: []byte(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))},
		[]any{a, map[string]any{"_placeholder": true, "num": 0}}, []any{a, Raw{JSON: []byte(`{"_\u0070laceholder":true,"num":9}`)}},
	} {
		out, list, err := AppendEvent([]byte("x"), "/", 1, "e", []any{1, v})
		if string(out) != "x" || list != nil || !errors.Is(err, ErrEncode) || errors.Is(err, ErrPacket) {
			t.Errorf("%d: %.50q %v %v", i, out, list, err)
		}
		if out, _, err := AppendAck([]byte("y"), "/", 1, []any{v}); string(out) != "y" || !errors.Is(err, ErrEncode) {
			t.Errorf("%d: %.50q %v", i, out, err)
		}
	}
}

func TestAppendConnect(t *testing.T) {
	check := func(out []byte, err error, want string) {
		t.Helper()
		if err != nil || string(out) != want {
			t.Errorf("%s, %v; want %s", out, err, want)
		}
		mustParse(t, string(out))
	}
	type sid struct {
		SID string `json:"sid"`
		PID string `json:"pid,omitempty"`
	}
	out, err := AppendConnect(nil, "/", nil)
	check(out, err, `0`)
	out, err = AppendConnect(nil, "/n", nil)
	check(out, err, `0/n,`)
	out, err = AppendConnect(nil, "/n", sid{SID: "<x>"})
	check(out, err, `0/n,{"sid":"<x>"}`)
	out, err = AppendConnect(nil, "/", map[string]any{"sid": "x", "pid": "y"})
	check(out, err, `0{"pid":"y","sid":"x"}`)
	out, err = AppendConnect(nil, "/", Raw{JSON: []byte(` {"t":1}`)})
	check(out, err, `0{"t":1}`)
	check(AppendDisconnect(nil, "/"), nil, `1`)
	check(AppendDisconnect(nil, "/n"), nil, `1/n,`)
	refusal := func(nsp string) []byte { return AppendHead(nil, ConnectError, 0, nsp, -1) }
	out, err = AppendConnectErrorPayload(refusal("/n"), `Not "authorized"`, nil, false)
	check(out, err, `4/n,{"message":"Not \"authorized\""}`)
	out, err = AppendConnectErrorPayload(refusal("/"), "no", nil, true)
	check(out, err, `4{"message":"no","data":null}`)
	out, err = AppendConnectErrorPayload(refusal("/"), "no", map[string]any{"code": 401}, true)
	check(out, err, `4{"message":"no","data":{"code":401}}`)
	out, err = AppendPlain(refusal("/"), "no") // as protocol 3 has it
	check(out, err, `4"no"`)
	out, err = AppendPlain(refusal("/n"), map[string]any{"code": 1})
	check(out, err, `4/n,{"code":1}`)
	for i, f := range []func() ([]byte, error){
		func() ([]byte, error) { return AppendConnect([]byte("x"), "/n", "text") },
		func() ([]byte, error) { return AppendConnect([]byte("x"), "/n", []int{}) },
		func() ([]byte, error) { return AppendConnect([]byte("x"), "/n", map[string]any{"b": []byte("B")}) },
		func() ([]byte, error) { return AppendConnect([]byte("x"), "/n", failing{}) },
		func() ([]byte, error) { return AppendConnectErrorPayload([]byte("x"), "m", math.NaN(), true) },
		func() ([]byte, error) { return AppendConnectErrorPayload([]byte("x"), "m", []byte("B"), true) },
		func() ([]byte, error) { return AppendPlain([]byte("x"), math.NaN()) },
	} {
		if out, err := f(); string(out) != "x" || !errors.Is(err, ErrEncode) {
			t.Error(i, string(out), err)
		}
	}
}

// appendValue and the JSON library must write the same bytes.
func TestValueFormsAgree(t *testing.T) {
	for _, v := range []any{
		"", "plain", "<>&\u2028", "\x00\x01\b\f\n\r\t\"\\/", "ü\xff\xffz", strings.Repeat("abcdefg\"", 9), "1234567\xe2\x82", 0.0, math.Copysign(0, -1), 1e-6, 9.99e-7, 1e20, 1e21, -1e21, 1.0 / 3,
		math.MaxFloat64, math.SmallestNonzeroFloat64, float32(1e-6), float32(1e21), float32(16777216), float32(3.4e38), int64(math.MinInt64), true, nil,
		map[string]any{"b": []any{1, "x", nil}, "a\n": map[string]any{}, "": 2.5}, []any{}, []any(nil), []byte(nil),
	} {
		e := newEncoder()
		ours, err := e.appendValue(nil, v, 0)
		if err != nil {
			t.Fatal(err)
		}
		library, err := e.marshal(nil, struct{ V any }{v})
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSuffix(strings.TrimPrefix(string(library), `{"V":`), "}"); string(ours) != want {
			t.Errorf("%#v: %s, the library writes %s", v, ours, want)
		}
	}
}

func TestAppendStringEverywhere(t *testing.T) {
	for _, special := range []string{`"`, `\`, "\n", "\x1f", "ü", "\xff", "\x7f", "\u2028", "😀", "\x00"} {
		for n := range 20 {
			for m := range 20 {
				s := strings.Repeat("a", n) + special + strings.Repeat("b", m)
				var back string
				if err := json.Unmarshal(quote.Append(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") {
					t.Fatalf("%q: %q, %v", s, back, err)
				}
			}
		}
	}
}

func TestAttachmentList(t *testing.T) {
	var l attachmentList
	all := make([][]byte, 3*searchMax)
	for round := range 2 {
		for i := range all {
			if round == 0 {
				all[i] = []byte{byte(i)}
			}
			if n := l.add(all[i]); n != i {
				t.Fatalf("%d: %d", i, n)
			}
		}
	}
	if len(l.list) != len(all) || l.placed != 2*len(all) {
		t.Error(len(l.list), l.placed)
	}
	shared := []byte("abcd")
	if l.add(shared) == l.add(shared[:2]) {
		t.Error("a part of a slice is another attachment")
	}
}

// Many placeholders for one attachment do not amplify an echo.
func TestNoAmplification(t *testing.T) {
	const n = 20_000
	text := `61-1[` + strings.Repeat(ph0+",", n-1) + ph0 + `]`
	var p Packet
	if err := Parse([]byte(text), &Limits{Args: n}, &p); err != nil {
		t.Fatal(err)
	}
	attachments := [][]byte{make([]byte, 1000)}
	var v any
	if err := Unmarshal(p.Data, attachments, &v); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []any{v, Raw{p.Data, attachments}} {
		_, list, err := AppendAck(nil, "/", 1, []any{arg})
		if err != nil || len(list) != 1 {
			t.Error(len(list), err)
		}
	}
}

func TestAppendAllocs(t *testing.T) {
	buf := make([]byte, 0, 4096)
	text := strings.Repeat("x", 128)
	args := []any{text, 1, 2.5, true, nil, "ü", int64(7)}
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := AppendEvent(buf, "/chat", 12, "tick", args); err != nil {
			t.Fatal(err)
		}
		if _, _, err := AppendAck(buf, "/", 12, args); err != nil {
			t.Fatal(err)
		}
		if _, err := AppendConnectErrorPayload(AppendDisconnect(buf, "/n"), text, nil, false); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if raceEnabled {
		return // the pool drops things at random then
	}
	raw := []any{Raw{JSON: []byte(`{"a":[1,2,3]}`)}, map[string]any{"a": 1, "b": "x"}}
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := AppendAck(buf, "/", 12, raw); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("Raw and map: %v allocations", n)
	}
}
