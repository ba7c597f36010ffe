package value_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/cmd/siren/node/value"
	"github.com/seed58c87869/siren/server"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text, json  string
		attachments []string
		err         error
	}{
		{text: `1.50`, json: `1.50`},
		{text: `{"a":[1,"x",null,{"b":{}}],"c":[]}`, json: `{"a":[1,"x",null,{"b":{}}],"c":[]}`},
		{text: `{"$binary":"AQI="}`, json: `{"_placeholder":true,"num":0}`, attachments: []string{"\x01\x02"}},
		{text: `{"$binary":""}`, json: `{"_placeholder":true,"num":0}`, attachments: []string{""}},
		{text: ` [ {"\u0024binary" : "AQ=="} , 1.50 , {"a" : {"$binary":"Ag=="}, "b":[ ]} ] `, attachments: []string{"\x01", "\x02"},
			json: `[{"_placeholder":true,"num":0},1.50,{"a":{"_placeholder":true,"num":1},"b":[]}]`},
		{text: `{"x":"$binary","num":5}`, json: `{"x":"$binary","num":5}`},
		{text: `{"_placeholder":false}`, json: `{"_placeholder":false}`},
		{text: `["\u00e4",{}]`, json: `["\u00e4",{}]`},
		{text: `{"$binary":"AQ==","x":1}`, err: value.ErrBeside},
		{text: `{"x":1,"$binary":"AQ=="}`, err: value.ErrBeside},
		{text: `{"$binary":5}`, err: value.ErrBinary},
		{text: `{"$binary":{"$binary":"AQ=="}}`, err: value.ErrBinary},
		{text: `{"$binary":"AQ"}`, err: value.ErrBinary},
		{text: `{"$binary":"A_=="}`, err: value.ErrBinary},
		{text: `{"$binary":"AR=="}`, err: value.ErrBinary},
		{text: `{"$binary":"A\nQ=="}`, err: value.ErrBinary},
		{text: `{"_placeholder":true,"num":0}`, err: value.ErrPlaceholder},
		{text: `[{"\u005fplaceholder":true}]`, err: value.ErrPlaceholder},
		{text: `[{"$binary":"AQ=="},{"$binary":"AQ=="},{"$binary":"AQ=="}]`, err: value.ErrTooMany},
	} {
		v, err := value.Parse([]byte(c.text), 2)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if c.err != nil {
			continue
		}
		var got []string
		for _, a := range v.Attachments {
			got = append(got, string(a))
		}
		if string(v.JSON) != c.json || !reflect.DeepEqual(got, c.attachments) {
			t.Errorf("%s: %s, %q", c.text, v.JSON, got)
		}
	}
	for _, bad := range []string{"", "x", "{", `{"$binary"}`, `{"$binary":"AQ=="}1`, `{"\u0061":1,"a":2}`, "[1", "[1,]"} {
		if v, err := value.Parse([]byte(bad), 2); err == nil {
			t.Errorf("%q: %s", bad, v.JSON)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		v    server.Raw
		want string
	}{
		{server.Raw{}, "null"},
		{server.Raw{JSON: []byte(`{"_placeholder":true,"num":0}`)}, `{"_placeholder":true,"num":0}`},
		{server.Raw{JSON: []byte(`{"num":1,"_placeholder":true}`), Attachments: [][]byte{nil, {1, 2}}}, `{"$binary":"AQI="}`},
		{server.Raw{JSON: []byte(`{"num":1,"_placeholder":true,"x":[1]}`), Attachments: [][]byte{nil, {1, 2}}}, `{"num":1,"_placeholder":true,"x":[1]}`},
		{server.Raw{JSON: []byte(`{"_placeholder":true,"num":1}`), Attachments: [][]byte{{1}}}, `{"_placeholder":true,"num":1}`},
		{server.Raw{JSON: []byte(`{"_placeholder":true,"num":-1}`), Attachments: [][]byte{{1}}}, `{"_placeholder":true,"num":-1}`},
		{server.Raw{JSON: []byte(`{"a":1,"a":{"_placeholder":true,"num":0}}`), Attachments: [][]byte{{1}}}, `{"a":1,"a":{"$binary":"AQ=="}}`},
		{server.Raw{JSON: []byte(`[{"a":{"_placeholder":true,"num":0}},1.50]`), Attachments: [][]byte{{}}}, `[{"a":{"$binary":""}},1.50]`},
	} {
		if got, err := value.Append([]byte("x"), c.v); err != nil || string(got) != "x"+c.want {
			t.Errorf("%s: %s, %v", c.v.JSON, got, err)
		}
	}
	for _, bad := range []string{`{"a":`, `[`} {
		if got, err := value.Append(nil, server.Raw{JSON: []byte(bad), Attachments: [][]byte{{1}}}); err == nil {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

// Errors tell the place.
func TestPaths(t *testing.T) {
	long := strings.Repeat("x", 200)
	for text, want := range map[string]string{
		`{"$binary":5}`:                              ".$binary",
		`{"$binary":"","x":1}`:                       "",
		`[1,{"a":[{"_placeholder":true}]}]`:          "[1].a[0]",
		`[[],{"a/b":{"c":[0,{"$binary":"x"}]}}]`:     "[1].a/b.c[1].$binary",
		`{"` + long + `":{"$binary":""," ":0}}`:      "." + long[:120] + "…",
		`[{"$binary":""},[{"$binary":""}],{"b":[]}]`: "[1][0].$binary",
	} {
		_, err := value.Parse([]byte(text), 1)
		var e *value.Error
		if !errors.As(err, &e) || e.Path != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Depth costs no more than length.
func TestDeepValues(t *testing.T) {
	text := strings.Repeat(`[`, 9_000) + `{"$binary":"AQ=="}` + strings.Repeat(`]`, 9_000)
	if v, err := value.Parse([]byte(text), 1); err != nil || len(v.Attachments) != 1 {
		t.Fatal(err)
	}
	if _, err := value.Parse([]byte(strings.Repeat(`[`, 100_000)+`"$binary"`), 1); err == nil {
		t.Fatal("no error")
	}
}

// What a backend wrote comes back to it.
func FuzzValue(f *testing.F) {
	for _, s := range []string{`{"$binary":"AQI="}`, `[{"a":{"$binary":""}},1e5,"\u0024"]`, `{"_placeholder":true}`, `{"num":{}}`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := value.Parse(bytes.Clone(text), 10)
		if err != nil {
			return
		}
		back, err := value.Append(nil, v)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var a, b any
		if json.Unmarshal(text, &a) != nil || json.Unmarshal(back, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%q became %q", text, back)
		}
	})
}
