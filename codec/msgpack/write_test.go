package msgpack

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// JSON values in all their spellings.
func TestAppendValue(t *testing.T) {
	for _, test := range []struct{ json, want string }{
		{"null", "c0"}, {" true\n", "c3"}, {"\tfalse ", "c2"}, {"0", "00"}, {"-0", "cb8000000000000000"}, {"-0.0", "cb8000000000000000"},
		// Integers, however they are spelled.
		{"1.0", "01"}, {"1e2", "64"}, {"12.5e1", "7d"}, {"-1.0", "ff"}, {"-2e2", "d1ff38"}, {"0.0", "00"}, {"0e5", "00"},
		{"18446744073709551615", "cfffffffffffffffff"}, {"-9223372036854775808", "d38000000000000000"}, {"1e19", "cf8ac7230489e80000"},
		{"18446744073709551616", "cb43f0000000000000"}, {"-9223372036854775809", "d38000000000000000"}, {"-1e19", "cbc3e158e460913d00"},
		{"1e21", "cb444b1ae4d6e2ef50"}, {"1.5", "cb3ff8000000000000"}, {"1E-7", "cb3e7ad7f29abcaf48"},
		{"1e400", "cb7ff0000000000000"}, {"-1e400", "cbfff0000000000000"}, {"1e-400", "00"}, {"-1e-400", "cb8000000000000000"},
		{strings.Repeat("9", 400), "cb7ff0000000000000"}, {"0." + strings.Repeat("3", 400), "cb3fd5555555555555"},
		{`""`, "a0"}, {`"\u0041\n\/\"\\\b\f\r\t"`, "a9410a2f225c080c0d09"}, {`"\ud83d\ude00"`, "a4f09f9880"}, {`"😀"`, "a4f09f9880"},
		{`"\ud83d"`, "a3efbfbd"}, {`"\ud83dx"`, "a4efbfbd78"}, {`"\ude00\ud83d"`, "a6efbfbdefbfbd"}, {`"\ud83d\u0041"`, "a4efbfbd41"},
		{`"\uD83D\n"`, "a4efbfbd0a"}, {"\"a\xffb\"", "a561efbfbd62"}, {`"\u00e9"`, "a2c3a9"},
		{"[ ]", "90"}, {"[ 1 , 2 ]", "920102"}, {"{ }", "80"}, {`{ "a" : [ ] , "b" : { } }`, "82a16190a16280"}, {`{"a":1,"a":2}`, "82a16101a16102"},
		{`{"\u0061\n":1}`, "81a2610a01"}, {`[[],[[1]],{"a":[2,3]},4]`, "949091910181a161920203" + "04"},
		// Without attachments, and in other spellings, it is an object.
		{`{"_placeholder":true,"num":0}`, "82ac5f706c616365686f6c646572c3a36e756d00"},
	} {
		got, err := AppendValue(nil, []byte(test.json), nil)
		if err != nil || !bytes.Equal(got, unhex(t, test.want)) {
			t.Errorf("%.40s: got %x, %v; want %s", test.json, got, err, test.want)
		}
	}
}

func TestAppendAttachments(t *testing.T) {
	atts := [][]byte{{1}, {}, bytes.Repeat([]byte{7}, 3)}
	for _, test := range []struct {
		json, want string
		err        error
	}{
		{ph(0), "c40101", nil}, {ph(1), "c400", nil}, {`[` + ph(2) + `,` + ph(0) + `,` + ph(2) + `]`, "93c403070707c40101c403070707", nil},
		{`{"a":` + ph(0) + `,"_placeholder":true}`, "82a161c40101ac5f706c616365686f6c646572c3", nil},
		{`{"_placeholder":true,"num":0,"x":1}`, "83ac5f706c616365686f6c646572c3a36e756d00a17801", nil},
		{`{"num":0,"_placeholder":true}`, "82a36e756d00ac5f706c616365686f6c646572c3", nil},
		{`{"_placeholder":true,"num":00}`, "", errNotJSON}, {`{"_placeholder":true,"num":}`, "", errNotJSON},
		{`{"_placeholder":true,"num":1.0}`, "82ac5f706c616365686f6c646572c3a36e756d01", nil},
		{ph(3), "", errNoAttachment}, {`{"_placeholder":true,"num":0`, "", errNotJSON},
	} {
		got, err := AppendValue(nil, []byte(test.json), atts)
		if !errors.Is(err, test.err) || test.err == nil && !bytes.Equal(got, unhex(t, test.want)) {
			t.Errorf("%s: got %x, %v; want %s, %v", test.json, got, err, test.want, test.err)
		}
	}
}

// Lengths have their shortest form.
func TestLengths(t *testing.T) {
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("0,", n), ",") + "]" }
	object := func(n int) string { return "{" + strings.TrimSuffix(strings.Repeat(`"":0,`, n), ",") + "}" }
	text := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	escaped := func(n int) string { return `"` + strings.Repeat(`\u0078`, n) + `"` }
	for _, test := range []struct {
		make func(int) string
		n    int
		head string
	}{
		{text, 31, "bf"}, {text, 32, "d920"}, {text, 255, "d9ff"}, {text, 256, "da0100"}, {text, 65535, "daffff"}, {text, 65536, "db00010000"},
		{escaped, 31, "bf"}, {escaped, 32, "d920"}, {escaped, 65536, "db00010000"},
		{list, 15, "9f"}, {list, 16, "dc0010"}, {list, 65535, "dcffff"}, {list, 65536, "dd00010000"},
		{object, 15, "8f"}, {object, 16, "de0010"}, {object, 65535, "deffff"}, {object, 65536, "df00010000"},
	} {
		got, err := AppendValue(nil, []byte(test.make(test.n)), nil)
		if err != nil || !bytes.HasPrefix(got, unhex(t, test.head)) {
			t.Errorf("%d: got %x…, %v; want %s", test.n, got[:min(len(got), 5)], err, test.head)
		}
	}
	for n, head := range map[int]string{255: "c4ff", 256: "c50100", 65535: "c5ffff", 65536: "c600010000"} {
		got, err := AppendValue(nil, []byte(ph(0)), [][]byte{make([]byte, n)})
		if err != nil || !bytes.HasPrefix(got, unhex(t, head)) || len(got) != n+len(head)/2 {
			t.Errorf("%d: %d bytes, %v; want %s", n, len(got), err, head)
		}
	}
}

func TestAppendErrors(t *testing.T) {
	for _, text := range []string{
		"", " ", "nul", "tru", "falsy", "nulll", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "}", "{1:2}", `{"a"}`, `{"a":}`, `{"a":1,}`,
		`{"a" 1}`, `{"a":1 "b":2}`, `"`, `"\`, `"\x"`, `"\u12"`, `"\u123g"`, "\"\n\"", "01", "-", "+1", "1.", ".5", "1e", "1e+", "--1", "1 2", "[1}", "{]", "NaN",
		strings.Repeat("[", 100_000),
	} {
		got, err := AppendValue([]byte("dst"), []byte(text), nil)
		if !errors.Is(err, ErrEncode) || string(got) != "dst" {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
	deep := strings.Repeat("[", depthMax+1) + strings.Repeat("]", depthMax+1)
	if _, err := AppendValue(nil, []byte(deep), nil); !errors.Is(err, errTooDeep) {
		t.Error(err)
	}
	if _, err := AppendValue(nil, []byte(deep[1:len(deep)-1]), nil); err != nil {
		t.Error(err)
	}
	for _, p := range []Packet{
		{Type: typeCount, Data: []byte("[]")}, {Type: Event}, {Type: Ack}, {Type: ConnectError}, {Type: Disconnect, Data: []byte("[]")},
		{Type: Event, Data: []byte("[")},
	} {
		if got, err := Append([]byte("dst"), &p); !errors.Is(err, ErrEncode) || string(got) != "dst" {
			t.Errorf("%+v: %q, %v", p, got, err)
		}
	}
}

// A wide and deep payload takes linear time: each container's length is known before it is written.
func TestWideAndDeep(t *testing.T) {
	const depth = 500
	text := strings.Repeat(`[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,`, depth) + "1" + strings.Repeat("]", depth)
	got, err := AppendValue(nil, []byte(text), nil)
	if err != nil || len(got) != depth*(3+16)+1 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r := reader{b: got, lim: (*Limits)(nil).settle()}
	if err := r.value(depth); err != nil || string(r.out) != text {
		t.Error(err)
	}
}

func ExampleAppend() {
	message, err := Append(nil, &Packet{Type: Event, Namespace: "/", Data: []byte(`["hello",1]`)})
	fmt.Printf("%x %v\n", message, err)
	// Output: 83a47479706502a46461746192a568656c6c6f01a36e7370a12f <nil>
}
