package sio

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func mustParse(t *testing.T, text string) Packet {
	t.Helper()
	var p Packet
	if err := Parse([]byte(text), nil, &p); err != nil {
		t.Fatalf("Parse(%.80q): %v", text, err)
	}
	return p
}

func TestParseAccepts(t *testing.T) {
	type want struct {
		typ         Type
		nsp, query  string
		id          int64
		attachments int
		data, event string
		args        string
		n           int
	}
	tests := map[string]want{
		// Connection, "Packet encoding" of the protocol text.
		`0`:                             {typ: Connect, nsp: "/", id: -1},
		`0/admin,`:                      {typ: Connect, nsp: "/admin", id: -1},
		`0/admin`:                       {typ: Connect, nsp: "/admin", id: -1},
		`0/admin,{"sid":"oSO0"}`:        {typ: Connect, nsp: "/admin", id: -1, data: `{"sid":"oSO0"}`},
		`0{"token":1,"token":2}`:        {typ: Connect, nsp: "/", id: -1, data: `{"token":1,"token":2}`},
		`0{"__proto__":{"admin":true}}`: {typ: Connect, nsp: "/", id: -1, data: `{"__proto__":{"admin":true}}`},
		`0/a?x=y&z=1,`:                  {typ: Connect, nsp: "/a", query: "x=y&z=1", id: -1},
		`0/a?`:                          {typ: Connect, nsp: "/a", id: -1},
		`1`:                             {typ: Disconnect, nsp: "/", id: -1},
		`1/admin,`:                      {typ: Disconnect, nsp: "/admin", id: -1},
		`4{"message":"Not authorized"}`: {typ: ConnectError, nsp: "/", id: -1, data: `{"message":"Not authorized"}`},
		`4/x,"no"`:                      {typ: ConnectError, nsp: "/x", id: -1, data: `"no"`},
		`2["foo"]`:                      {typ: Event, nsp: "/", id: -1, data: `["foo"]`, event: "foo"},
		`2/admin,["bar"]`:               {typ: Event, nsp: "/admin", id: -1, data: `["bar"]`, event: "bar"},
		`212["foo"]`:                    {typ: Event, nsp: "/", id: 12, data: `["foo"]`, event: "foo"},
		`20["foo"]`:                     {typ: Event, nsp: "/", id: 0, data: `["foo"]`, event: "foo"},
		`2007["foo"]`:                   {typ: Event, nsp: "/", id: 7, data: `["foo"]`, event: "foo"},
		`29007199254740991["foo"]`:      {typ: Event, nsp: "/", id: 9007199254740991, data: `["foo"]`, event: "foo"},
		`2["move",1,"two",{"a":[3]}]`:   {typ: Event, nsp: "/", id: -1, data: `["move",1,"two",{"a":[3]}]`, event: "move", args: `1,"two",{"a":[3]}`, n: 3},
		"2 [ \"a\" , 1 ,\t[ ] ]\r\n":    {typ: Event, nsp: "/", id: -1, data: "[ \"a\" , 1 ,\t[ ] ]", event: "a", args: "1 ,\t[ ]", n: 2},
		`2["a\u0062\ud83d\ude00\n"]`:    {typ: Event, nsp: "/", id: -1, data: `["a\u0062\ud83d\ude00\n"]`, event: "ab😀\n"},
		`2["\ud800"]`:                   {typ: Event, nsp: "/", id: -1, data: `["\ud800"]`, event: "\ufffd"},
		`2[""]`:                         {typ: Event, nsp: "/", id: -1, data: `[""]`},
		`2["connected"]`:                {typ: Event, nsp: "/", id: -1, data: `["connected"]`, event: "connected"},
		`2["connect\u005ferrors"]`:      {typ: Event, nsp: "/", id: -1, data: `["connect\u005ferrors"]`, event: "connect_errors"},
		`2[1,2]`:                        {typ: Event, nsp: "/", id: -1, data: `[1,2]`, event: "1", args: "2", n: 1},
		`2[1.0]`:                        {typ: Event, nsp: "/", id: -1, data: `[1.0]`, event: "1"},
		`2[-0]`:                         {typ: Event, nsp: "/", id: -1, data: `[-0]`, event: "0"},
		`2[-2.50e2]`:                    {typ: Event, nsp: "/", id: -1, data: `[-2.50e2]`, event: "-250"},
		`2["x",{"_placeholder":true,"num":5}]`: {typ: Event, nsp: "/", id: -1, data: `["x",{"_placeholder":true,"num":5}]`,
			event: "x", args: `{"_placeholder":true,"num":5}`, n: 1},
		`3/admin,13["bar"]`: {typ: Ack, nsp: "/admin", id: 13, data: `["bar"]`, args: `"bar"`, n: 1},
		`313[]`:             {typ: Ack, nsp: "/", id: 13, data: `[]`},
		`313[ ]`:            {typ: Ack, nsp: "/", id: 13, data: `[ ]`},
		`3[]`:               {typ: Ack, nsp: "/", id: -1, data: `[]`},
		// Without a payload, as the reference parser takes them.
		`2`:        {typ: Event, nsp: "/", id: -1},
		`21`:       {typ: Event, nsp: "/", id: 1},
		`2/admin,`: {typ: Event, nsp: "/admin", id: -1},
		`3`:        {typ: Ack, nsp: "/", id: -1},
		`30`:       {typ: Ack, nsp: "/", id: 0},
		`3/a,7`:    {typ: Ack, nsp: "/a", id: 7},
		`51-`:      {typ: BinaryEvent, nsp: "/", id: -1, attachments: 1},
		`61-/a,3`:  {typ: BinaryAck, nsp: "/a", id: 3, attachments: 1},
		// Binary packets.
		`51-["baz",{"_placeholder":true,"num":0}]`: {typ: BinaryEvent, nsp: "/", id: -1, attachments: 1,
			data: `["baz",{"_placeholder":true,"num":0}]`, event: "baz", args: `{"_placeholder":true,"num":0}`, n: 1},
		`52-/admin,7["baz",[{"num":1,"_placeholder":true}]]`: {typ: BinaryEvent, nsp: "/admin", id: 7, attachments: 2,
			data: `["baz",[{"num":1,"_placeholder":true}]]`, event: "baz", args: `[{"num":1,"_placeholder":true}]`, n: 1},
		`61-15["bar",{"_placeholder":true,"num":0}]`: {typ: BinaryAck, nsp: "/", id: 15, attachments: 1,
			data: `["bar",{"_placeholder":true,"num":0}]`, args: `"bar",{"_placeholder":true,"num":0}`, n: 2},
		`50-["x"]`:    {typ: BinaryEvent, nsp: "/", id: -1, data: `["x"]`, event: "x"},
		`5003-["x"]`:  {typ: BinaryEvent, nsp: "/", id: -1, attachments: 3, data: `["x"]`, event: "x"},
		`51-["x",{}]`: {typ: BinaryEvent, nsp: "/", id: -1, attachments: 1, data: `["x",{}]`, event: "x", args: "{}", n: 1},
	}
	for text, w := range tests {
		p := mustParse(t, text)
		got := want{p.Type, string(p.Namespace), string(p.Query), -1, p.Attachments, string(p.Data), string(p.Event), string(p.Args), p.NArgs}
		if p.HasID {
			got.id = int64(p.ID)
		}
		if got != w {
			t.Errorf("Parse(%q)\n got %+v\nwant %+v", text, got, w)
		}
		if (p.Data == nil) != (w.data == "") {
			t.Errorf("Parse(%q): Data is nil: %v", text, p.Data == nil)
		}
	}
}

// Every violation of the protocol is an error.
func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("9", 400)
	tests := []struct {
		text string
		want error
	}{
		{``, errEmpty},
		{`7`, errType}, {`x`, errType}, {`/`, errType}, {"\xff", errType}, {` 2["a"]`, errType}, {`-1`, errType},
		// attachments
		{`5["x"]`, errAttachments}, {`5`, errAttachments}, {`5-["x"]`, errAttachments}, {`51`, errAttachments},
		{`51["x"]`, errAttachments}, {`5-1-["x"]`, errAttachments}, {`51.0-["x"]`, errAttachments}, {`5 1-["x"]`, errAttachments},
		{`6["x"]`, errAttachments}, {`5257-["x"]`, errMany}, {`5` + long + `-["x"]`, errMany},
		{`51-["x",{"_placeholder":true,"num":1}]`, errBadPlaceholder},
		{`51-["x",{"_placeholder":true,"num":-1}]`, errBadPlaceholder},
		{`51-["x",{"_placeholder":true,"num":0.5}]`, errBadPlaceholder},
		{`51-["x",{"_placeholder":true,"num":"0"}]`, errBadPlaceholder},
		{`51-["x",{"_placeholder":true}]`, errBadPlaceholder},
		{`51-["x",{"_placeholder":true,"num":` + long + `}]`, errBadPlaceholder},
		{`51-["x",{"_placeholder":true,"num":4294967296}]`, errBadPlaceholder},
		{`51-["x",{"_placeholder":true,"num":[0]}]`, errBadPlaceholder},
		{`50-["x",{"_placeholder":true,"num":0}]`, errBadPlaceholder},
		{`61-1[{"a":[{"\u005fplaceholder":true,"nu\u006d":3}]}]`, errBadPlaceholder},
		{`51-[{"_placeholder":true,"num":0}]`, errEventName},
		// ids
		{`29007199254740992["x"]`, errID}, {`2` + long + `["x"]`, errID},
		{`2-1["x"]`, errPayload}, {`2+1["x"]`, errPayload}, {`21.5["x"]`, errPayload}, {`2abc["x"]`, errPayload}, {`21e3["x"]`, errPayload},
		// payload missing or of the wrong shape
		{`4`, errNoPayload}, {`4/admin,`, errNoPayload}, {`2 `, errNoPayload}, {`30 `, errNoPayload},
		{`0[]`, errPayload}, {`0null`, errPayload}, {`0"x"`, errPayload}, {`0true`, errPayload},
		{`1{}`, errPayload}, {`1null`, errPayload}, {`1/admin,[]`, errPayload},
		{`2{}`, errPayload}, {`2"x"`, errPayload}, {`2null`, errPayload}, {`31{}`, errPayload}, {`31"x"`, errPayload},
		{`4[]`, errPayload}, {`4null`, errPayload}, {`51-{}`, errPayload}, {`61-1"x"`, errPayload},
		{`2[]`, errEventName}, {`2[ ]`, errEventName}, {`2[null]`, errEventName}, {`2[true]`, errEventName}, {`2[{}]`, errEventName}, {`2[["a"]]`, errEventName},
		{`2["connect"]`, errEventReserved}, {`2["connect_error"]`, errEventReserved}, {`2["disconnect"]`, errEventReserved},
		{`2["disconnecting",1]`, errEventReserved}, {`2["newListener"]`, errEventReserved}, {`2["removeListener"]`, errEventReserved},
		{`2["c\u006fnnect"]`, errEventReserved}, {`50-["connect"]`, errEventReserved},
		// JSON
		{`2["x"`, errJSON}, {`2["x",]`, errJSON}, {`2["x"]]`, errJSON}, {`2["x"] 1`, errJSON}, {`2["x" 1]`, errJSON}, {`2[,"x"]`, errJSON},
		{`2["x",01]`, errJSON}, {`2["x",1.]`, errJSON}, {`2["x",.5]`, errJSON}, {`2["x",-]`, errJSON}, {`2["x",1e]`, errJSON}, {`2["x",+1]`, errJSON},
		{`2["x",NaN]`, errJSON}, {`2["x",Infinity]`, errJSON}, {`2["x",tru]`, errJSON}, {`2["x",nulll]`, errJSON}, {`2["x",undefined]`, errJSON},
		{"2[\"x\n\"]", errJSON}, {`2["\x"]`, errJSON}, {`2["\u12g4"]`, errJSON}, {`2["\u12"]`, errJSON}, {`2["x\`, errJSON}, {`2['x']`, errJSON},
		{`2["x",{a:1}]`, errJSON}, {`2["x",{"a" 1}]`, errJSON}, {`2["x",{"a":1,}]`, errJSON}, {`2["x",{,}]`, errJSON}, {`2["x",{"a"}]`, errJSON},
		{`2["x",[1,]]`, errJSON}, {`2["x",[}]`, errJSON}, {`2["x",{]]`, errJSON}, {"2[\"x\",\v1]", errJSON}, {`0{`, errJSON}, {`0{}}`, errJSON},
		{`4"x`, errJSON}, {"2[\"x\",1]\x00", errJSON},
		// limits
		{`2/` + strings.Repeat("n", DefaultNamespaceBytes) + `,["x"]`, errNamespace},
		{`2["x"` + strings.Repeat(",0", DefaultArgs+1) + `]`, errArgs},
		{`31["x"` + strings.Repeat(",0", DefaultArgs) + `]`, errArgs},
		{`2["x",` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `]`, errDepth},
		{`2["x",` + strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat("}", 100_000) + `]`, errDepth},
		{`0` + strings.Repeat(`{"a":`, 100_000), errDepth},
	}
	for _, tt := range tests {
		var p Packet
		err := Parse([]byte(tt.text), nil, &p)
		if err != tt.want {
			t.Errorf("Parse(%.80q) = %v, want %v", tt.text, err, tt.want)
			continue
		}
		if !errors.Is(err, ErrPacket) {
			t.Errorf("Parse(%.80q): %v does not wrap ErrPacket", tt.text, err)
		}
		limit := tt.want == errMany || tt.want == errID || tt.want == errNamespace || tt.want == errArgs || tt.want == errDepth
		if errors.Is(err, ErrLimit) != limit {
			t.Errorf("Parse(%.80q): wraps ErrLimit: %v", tt.text, !limit)
		}
	}
}

// Unusual but valid JSON passes byte for byte.
func TestParsePassesStrangeJSON(t *testing.T) {
	values := []string{
		strings.Repeat("9", 400), "-" + strings.Repeat("1", 400) + "." + strings.Repeat("2", 400) + "E+" + strings.Repeat("3", 400),
		`"\ud800"`, `"\udc00\ud800"`, `{"a":1,"a":2}`, `{"__proto__":{"x":1}}`, `{"constructor":{"prototype":1}}`, `{"":""}`,
		"\"\u2028\u2029\x7f\"", "\"\xff\xfe\"", `"\/"`, strings.Repeat("[", 500) + strings.Repeat("]", 500), ` [ { } , -0 ] `,
		`{"hasOwnProperty":1,"toJSON":2,"length":-1}`, `"` + strings.Repeat("x", 100_000) + `"`,
	}
	for _, v := range values {
		for _, text := range []string{`2["e",` + v + `]`, `51-["e",` + v + `]`, `31[` + v + `]`} {
			p := mustParse(t, text)
			arg, rest := NextArg(p.Args)
			if string(arg) != strings.TrimSpace(v) || len(rest) != 0 || p.NArgs != 1 {
				t.Errorf("%.60q came out as %.60q, %.60q", v, arg, rest)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	lim := &Limits{Attachments: 2, Depth: 3, Namespace: 4, Args: 2}
	tests := []struct {
		text string
		want error
	}{
		{`52-["x"]`, nil}, {`53-["x"]`, errMany},
		{`2["x",[[]]]`, nil}, {`2["x",[[[]]]]`, errDepth}, {`2["x",{"a":{"b":1}}]`, nil}, {`2["x",{"a":{"b":{}}}]`, errDepth},
		{`0{"a":[[]]}`, nil}, {`0{"a":[[[]]]}`, errDepth},
		{`2/abc,["x"]`, nil}, {`2/abcd,["x"]`, errNamespace}, {`0/abc`, nil}, {`0/abcd`, errNamespace}, {`0/a?bc,`, errNamespace},
		{`2["x",1,2]`, nil}, {`2["x",1,2,3]`, errArgs}, {`31[1,2]`, nil}, {`31[1,2,3]`, errArgs},
	}
	for _, tt := range tests {
		var p Packet
		if err := Parse([]byte(tt.text), lim, &p); err != nil && err != tt.want || err == nil && tt.want != nil {
			t.Errorf("Parse(%q) = %v, want %v", tt.text, err, tt.want)
		}
	}
	var p Packet
	deep := `2["x",` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]`
	if err := Parse([]byte(deep), &Limits{Depth: 1 << 30}, &p); err != errDepth {
		t.Errorf("Depth above MaxDepth: %v", err)
	}
	deep = `2["x",` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `]`
	if err := Parse([]byte(deep), &Limits{Depth: MaxDepth}, &p); err != nil {
		t.Errorf("Depth of MaxDepth: %v", err)
	}
}

// A truncated text is refused, unless the rest is a valid packet, and is never read
// beyond its end.
func TestParseCut(t *testing.T) {
	const text = `52-/adm,12["ev\u0041nt",{"_placeholder":true,"num":0},-1.5e+10,[true,false,null,{"a b c d e f g h":"\\\"x"}]]`
	mustParse(t, text)
	for i := range len(text) {
		cut := []byte(text)[:i:i]
		var p Packet
		headOnly := i >= len("52-") && i <= len("52-/adm,12") // a packet without a payload
		if accepted := Parse(cut, nil, &p) == nil; accepted != headOnly {
			t.Errorf("%q: accepted %v", cut, accepted)
		}
	}
}

func TestNextArg(t *testing.T) {
	tests := map[string][]string{
		``: nil, `  `: nil, `1`: {"1"}, `1,2`: {"1", "2"}, ` "a,b" , [1,{"]":"}"}] ,{} , null`: {`"a,b"`, `[1,{"]":"}"}]`, `{}`, `null`},
		`"\\","\"",""`: {`"\\"`, `"\""`, `""`}, `[[]],[{"a":"[,"}]`: {`[[]]`, `[{"a":"[,"}]`},
	}
	for args, want := range tests {
		var got []string
		for arg, rest := NextArg([]byte(args)); arg != nil; arg, rest = NextArg(rest) {
			got = append(got, string(arg))
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q: %q", args, got)
		}
	}
}

func TestValid(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for _, n := range []int{1, 8, 63, 64, 65, 512, 513, 576, 577, 10_000, 100_000} {
		if !Valid(deep(n), n) || Valid(deep(n), n-1) {
			t.Errorf("depth %d", n)
		}
		mixed := strings.Repeat(`{"a":[`, n/2) + "1" + strings.Repeat("]}", n/2)
		if !Valid([]byte(mixed), n) {
			t.Errorf("mixed depth %d", n)
		}
		if wrong := strings.Repeat(`{"a":[`, n/2) + "1" + strings.Repeat("}]", n/2); n > 1 && Valid([]byte(wrong), n) {
			t.Errorf("wrong brackets at depth %d", n)
		}
	}
	for _, s := range []string{"", " ", "1", " 1 ", "1 1", "{}", "[1,{}]", "\ufeff1", `"a`, "nul", "-", "00", "1e5", "1E+5", "[]]"} {
		if got, want := Valid([]byte(s), 9), json.Valid([]byte(s)); got != want {
			t.Errorf("Valid(%q) = %v", s, got)
		}
	}
	if Valid([]byte("[]"), 0) || !Valid([]byte("1"), 0) {
		t.Error("depth 0")
	}
}

func TestTypeNames(t *testing.T) {
	if s := BinaryEvent.String() + ConnectError.String() + Type(7).String(); s != "BINARY_EVENTCONNECT_ERRORUNKNOWN" {
		t.Error(s)
	}
	for typ := range Type(9) {
		if typ.Binary() != (typ == 5 || typ == 6) {
			t.Error(typ)
		}
	}
}

func TestValidNamespace(t *testing.T) {
	for name, want := range map[string]bool{"/": true, "/a": true, "/a/b-c ü": true, "": false, "a": false, "/a,b": false, "/a?b": false, "/\n": false} {
		if ValidNamespace(name) != want {
			t.Errorf("%q", name)
		}
	}
}

func TestParseAllocs(t *testing.T) {
	for _, text := range []string{
		`2["tick","` + strings.Repeat("x", 128) + `"]`, `0`, `0/chat,{"token":"abc"}`, `1/chat,`, `313[{"status":"ok"}]`,
		`51-["b",{"_placeholder":true,"num":0}]`, `2/chat,17["move",1,2.5,{"a":[1,2,3]}]`, `2["x",` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `]`,
		`x`, `2["connect"]`, `2["a very long event name that does not fit into any small buffer of the compiler"]`,
	} {
		b := []byte(text)
		var p Packet
		if n := testing.AllocsPerRun(100, func() {
			_ = Parse(b, nil, &p)
			for arg, rest := NextArg(p.Args); arg != nil; arg, rest = NextArg(rest) {
			}
		}); n != 0 {
			t.Errorf("%.40q: %v allocations", text, n)
		}
	}
}
