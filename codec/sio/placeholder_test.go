package sio

import (
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A placeholder inside more objects than the fixed part of the stack holds, with
// members before and after that look like half a placeholder.
func TestPlaceholdersInDepth(t *testing.T) {
	for depth := range 40 {
		open := strings.Repeat(`{"num":9,"a":[1,{"b":`, depth)
		end := strings.Repeat(`}],"_placeholder":false}`, depth)
		p := mustParse(t, `52-["x",`+open+ph1+end+`,`+ph0+`]`)
		arg, rest := NextArg(p.Args)
		r := Raw{arg, [][]byte{[]byte("A"), []byte("B")}}
		out, list, err := AppendAck(nil, "/", 1, []any{Raw{rest, r.Attachments}, r})
		if err != nil || len(list) != 2 || string(list[1]) != "B" || !strings.Contains(string(out), open+ph1+end) {
			t.Fatal(depth, string(out), err)
		}
		var q Packet
		bad := `52-["x",` + open + ph2 + end + `]`
		if err := Parse([]byte(bad), nil, &q); err != errBadPlaceholder {
			t.Fatal(depth, err)
		}
		// The end of an object decides what it is: here the 9 from before counts.
		late := strings.Replace(open+ph1+end, `"_placeholder":false`, `"_placeholder":true`, 1)
		if err := Parse([]byte(`52-["x",`+late+`]`), nil, &q); depth > 0 && err != errBadPlaceholder {
			t.Fatal(depth, err)
		}
	}
}

func TestPlaceholderSpelling(t *testing.T) {
	every := ""
	for _, c := range "_placeholder" {
		every += `\u00` + string("0123456789abcdef"[c>>4]) + string("0123456789ABCDEF"[c&15])
	}
	for member, is := range map[string]bool{
		`"` + every + `":true`: true, `"\u005fplaceholder":true`: true, `"_placeholder":1`: false, `"_placeholder":"true"`: false, `"_placeholder":[true]`: false,
		`"_placeholder":true,"_placeholder":{}`: false, `"_placeholder":null,"_placeholder" : true`: true, `"_PLACEHOLDER":true`: false, `"` + every + `\u0020":true`: false,
		`"` + every + every + `":true`: false, `"\t":true`: false,
	} {
		var p Packet
		err := Parse([]byte(`51-["x",{"num":1,`+member+`}]`), nil, &p)
		if is != (err == errBadPlaceholder) || !is && err != nil {
			t.Errorf("%s: %v", member, err)
		}
		for _, num := range []string{`"num":0`, `"num":5,"nu\u006d":-0.0`, `"num":0E9`, `"num":0.00`} {
			if err := Parse([]byte(`51-["x",{`+member+`,`+num+`}]`), nil, &p); err != nil {
				t.Errorf("%s, %s: %v", member, num, err)
			}
		}
	}
}

func TestNextArgOnGarbage(t *testing.T) {
	for _, s := range []string{`]`, `}}`, `"`, `"\`, `[`, `[]]`, `,`, `,,1`, `[}`, "\x00", `1]2`, `{"a`, `[ ,`} {
		n := 0
		for arg, rest := NextArg([]byte(s)); arg != nil; arg, rest = NextArg(rest) {
			if n++; n > len(s) {
				t.Fatalf("%q does not end", s)
			}
		}
	}
}

// Types with methods of the JSON library may pass their parts back to it.
type streamed struct {
	B    []byte
	Blob blob
}

type streamedParts struct {
	B    []byte
	Blob blob
}

func (s streamed) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, streamedParts(s))
}

func (s *streamed) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return json.UnmarshalDecode(dec, (*streamedParts)(s))
}

func TestStreamingMethods(t *testing.T) {
	in := map[string]streamed{"x": {[]byte("A"), blob("B")}}
	out, list, err := AppendAck(nil, "/", 1, []any{in})
	if err != nil || string(out) != `62-1[{"x":{"B":`+ph0+`,"Blob":`+ph1+`}}]` {
		t.Fatal(string(out), err)
	}
	var back map[string]streamed
	if err := Unmarshal(out[5:len(out)-1], list, &back); err != nil || !reflect.DeepEqual(in, back) {
		t.Error(back, err)
	}
}

func TestRawInStructs(t *testing.T) {
	type holder struct {
		R Raw
		P *Raw
		L []Raw
		O Raw `json:",omitzero"`
	}
	r := Raw{[]byte(ph1), [][]byte{nil, []byte("B")}}
	out, list, err := AppendAck(nil, "/", 1, []any{holder{P: &r, L: []Raw{r, {}}}, &r})
	if err != nil || len(list) != 1 || string(out) != `61-1[{"R":null,"P":`+ph0+`,"L":[`+ph0+`,null]},`+ph0+`]` {
		t.Fatal(string(out), list, err)
	}
	var back holder
	arg, _ := NextArg(out[5 : len(out)-1])
	if err := Unmarshal(arg, list, &back); err != nil || string(back.P.JSON) != ph0 || string(back.L[0].JSON) != ph0 || string(back.L[0].Attachments[0]) != "B" {
		t.Errorf("%+v %v", back, err)
	}
}
