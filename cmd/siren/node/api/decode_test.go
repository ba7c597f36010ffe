package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/cmd/siren/node/value"
	"github.com/seed58c87869/siren/server"
)

// What is wrong in a body is told by its path, has no effect, and costs no more than the body.
func TestBadBodies(t *testing.T) {
	n := start(t, nil, nil)
	c := n.connect("")
	many := func(s string, times int) string { return strings.TrimSuffix(strings.Repeat(s+",", times), ",") }
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for _, test := range []struct{ call, body, code, field string }{
		{"emit", "", "bad_json", ""},
		{"emit", "garbage", "bad_json", ""},
		{"emit", "\x00\xff\xfe", "bad_json", ""},
		{"emit", "[]", "bad_json", ""},
		{"emit", `"x"`, "bad_json", ""},
		{"emit", "null", "bad_json", ""},
		{"emit", `{"event":"e"`, "bad_json", ""},
		{"emit", `{"event":"e"} {}`, "bad_json", ""},
		{"emit", `{"event":"e"}x`, "bad_json", ""},
		{"emit", `{"event":"e",}`, "bad_json", ""},
		{"emit", `{"event":'e'}`, "bad_json", "event"},
		{"emit", `{"event":"e","event":"f"}`, "bad_json", "event"},
		{"emit", `{"event":"e","\u0065vent":"f"}`, "bad_json", "event"},
		{"emit", `{"event":"e","args":[{"a":1,"a":2}]}`, "bad_json", "args"},
		{"emit", "{\"event\":\"e\",\"args\":[\"\xff\"]}", "bad_json", "args"},
		{"emit", "{\"event\":\"\xc0\xaf\"}", "bad_json", "event"},
		{"emit", `{"event":"e","args":["\ud800"]}`, "bad_json", "args"},
		{"emit", `{"event":"e","args":[01]}`, "bad_json", "args"},
		{"emit", `{"event":"e","args":[NaN]}`, "bad_json", "args"},
		{"emit", `{"event":"e","rooms":["x" "y"]}`, "bad_json", "rooms[1]"},
		{"emit", `{}`, "bad_field", "event"},
		{"emit", `{"event":null}`, "bad_field", "event"},
		{"emit", `{"event":7}`, "bad_field", "event"},
		{"emit", `{"event":""}`, "bad_field", "event"},
		{"emit", `{"event":"` + strings.Repeat("x", 129) + `"}`, "bad_field", "event"},
		{"emit", `{"event":"a\u0000"}`, "bad_field", "event"},
		{"emit", `{"event":"a\u007f"}`, "bad_field", "event"},
		{"emit", `{"event":"a\u0085"}`, "bad_field", "event"},
		{"emit", `{"event":"e","what":1}`, "bad_field", "what"},
		{"emit", `{"event":"e","Rooms":[]}`, "bad_field", "Rooms"},
		{"emit", `{"event":"e","close":true}`, "bad_field", "close"},
		{"emit", `{"event":"e","namespace":7}`, "bad_field", "namespace"},
		{"emit", `{"event":"e","namespace":null}`, "bad_field", "namespace"},
		{"emit", `{"event":"e","rooms":"x"}`, "bad_field", "rooms"},
		{"emit", `{"event":"e","rooms":null}`, "bad_field", "rooms"},
		{"emit", `{"event":"e","rooms":{}}`, "bad_field", "rooms"},
		{"emit", `{"event":"e","rooms":["a",7]}`, "bad_field", "rooms[1]"},
		{"emit", `{"event":"e","rooms":[null]}`, "bad_field", "rooms[0]"},
		{"emit", `{"event":"e","rooms":[["x"]]}`, "bad_field", "rooms[0]"},
		{"emit", `{"event":"e","rooms":[""]}`, "bad_field", "rooms[0]"},
		{"emit", `{"event":"e","rooms":["a\n"]}`, "bad_field", "rooms[0]"},
		{"emit", `{"event":"e","rooms":["` + strings.Repeat("ä", 65) + `"]}`, "bad_field", "rooms[0]"},
		{"emit", `{"event":"e","rooms":[` + many(`"x"`, 1001) + `]}`, "bad_field", "rooms"},
		{"emit", `{"event":"e","rooms":[` + many(`"x"`, 1_000_000) + `]}`, "bad_field", "rooms"},
		{"emit", `{"event":"e","except":[` + many(`"x"`, 1001) + `]}`, "bad_field", "except"},
		{"emit", `{"event":"e","users":[` + many(`"x"`, 1001) + `]}`, "bad_field", "users"},
		{"emit", `{"event":"e","users":[""]}`, "bad_field", "users[0]"},
		{"emit", `{"event":"e","except":[1]}`, "bad_field", "except[0]"},
		{"emit", `{"event":"e","args":{}}`, "bad_field", "args"},
		{"emit", `{"event":"e","args":null}`, "bad_field", "args"},
		{"emit", `{"event":"e","args":"x"}`, "bad_field", "args"},
		{"emit", `{"event":"e","args":[` + many("1", 1001) + `]}`, "bad_field", "args"},
		{"emit", `{"event":"e","args":[` + many("1", 1_000_000) + `]}`, "bad_field", "args"},
		{"emit", `{"event":"e","args":[1,` + deep(63) + `]}`, "bad_field", "args[1]"},
		{"emit", `{"event":"e","args":[1,{"a":` + deep(62) + `}]}`, "bad_field", "args[1]"},
		{"emit", `{"event":"e","args":[` + deep(100_000) + `]}`, "bad_field", "args"},
		{"emit", `{"what":` + deep(100_000) + `}`, "bad_field", "what"},
		{"emit", deep(100_000), "bad_field", ""},
		{"emit", `{"event":"e","volatile":1}`, "bad_field", "volatile"},
		{"emit", `{"event":"e","volatile":"true"}`, "bad_field", "volatile"},
		{"emit", `{"event":"e","local":null}`, "bad_field", "local"},
		{"emit", `{"event":"e","args":[{"_placeholder":true,"num":0}]}`, "bad_field", "args[0]"},
		{"emit", `{"event":"e","args":[1,{"a":[{"_placeholder":true}]}]}`, "bad_field", "args[1].a[0]"},
		{"emit", `{"event":"e","args":[{"\u005fplaceholder":true}]}`, "bad_field", "args[0]"},
		{"emit", `{"event":"e","args":[{"$binary":"AQ"}]}`, "bad_field", "args[0].$binary"},
		{"emit", `{"event":"e","args":[{"$binary":"AR=="}]}`, "bad_field", "args[0].$binary"},
		{"emit", `{"event":"e","args":[{"$binary":"_-8="}]}`, "bad_field", "args[0].$binary"},
		{"emit", `{"event":"e","args":[{"$binary":"AQ=\n="}]}`, "bad_field", "args[0].$binary"},
		{"emit", `{"event":"e","args":[{"$binary":7}]}`, "bad_field", "args[0].$binary"},
		{"emit", `{"event":"e","args":[{"$binary":null}]}`, "bad_field", "args[0].$binary"},
		{"emit", `{"event":"e","args":[{"a":{"$binary":"","b":1}}]}`, "bad_field", "args[0].a"},
		{"emit", `{"event":"e","args":[{"b":1,"$binary":""}]}`, "bad_field", "args[0]"},
		{"emit", `{"event":"e","args":[` + many(`{"$binary":""}`, 11) + `]}`, "bad_field", "args[10].$binary"},
		{"emit", `{"event":"e","args":[[` + many(`{"$binary":""}`, 11) + `]]}`, "bad_field", "args[0][10].$binary"},
		{"emit", `{"event":"disconnecting"}`, "reserved_event", "event"},
		{"emit", `{"event":"token-expiring"}`, "reserved_event", "event"},
		{"call", `{"event":"token"}`, "reserved_event", "event"},
		{"join", `{"to":"x"}`, "bad_field", "to"},
		{"join", `{"to":[7]}`, "bad_field", "to[0]"},
		{"leave", `{"to":[` + many(`"x"`, 1001) + `]}`, "bad_field", "to"},
		{"disconnect", `{"close":"yes"}`, "bad_field", "close"},
		{"sockets", `{"cursor":7}`, "bad_field", "cursor"},
		{"sockets", `{"limit":-1}`, "bad_field", "limit"},
		{"rooms", `{"prefix":7}`, "bad_field", "prefix"},
		{"rooms", `{"prefix":"` + strings.Repeat("x", 129) + `"}`, "bad_field", "prefix"},
		{"count", `{"event":"e"}`, "bad_field", "event"},
		{"emit/batch", `{"emits":[{"event":"e"},` + deep(100_000) + `]}`, "bad_field", "emits"},
		{"emit/batch", `{"emits":[{"event":"no"},{"args":[}]}`, "bad_json", "emits[1].args"},
		{"emit/batch", `{"emits":[{"event":"no"}],"more":1}`, "bad_field", "more"},
		{"emit/batch", `{"event":"no"}`, "bad_field", "event"},
	} {
		if a := n.refused(test.call, test.body, test.code, test.field); len(a.body) > 1000 || a.value["detail"] == "" {
			t.Errorf("%.80s: %s", test.body, a.body)
		}
	}
	n.want("emit", `{"event":"`+strings.Repeat("x", 128)+`","rooms":["`+strings.Repeat("y", 128)+`"]}`, 200, "")
	n.want("emit", `{"event":"deep","args":[1,`+deep(62)+`]}`, 200, "")
	c.expect(`42["deep",1,` + deep(62) + `]`)
}

// A body that is too large is refused when its head has come, whoever sends it.
func TestBodyTooLarge(t *testing.T) {
	n := start(t, nil, nil)
	c := n.connect("")
	body := `{"event":"e","args":["` + strings.Repeat("x", 4<<20) + `"]}`
	if a := n.refused("emit", body[:4<<20+1], "too_large", ""); a.status != 413 {
		t.Error(a.status)
	}
	n.refused("emit", body[:4<<20], "bad_json", "args") // it is read
	n.want("emit", `{"event":"end"}`, 200, "")
	c.expect(`42["end"]`)
}

// A body of a million small values costs a few times its size, at most.
func TestDecodeMemory(t *testing.T) {
	for name, body := range map[string]string{
		"rooms": `{"event":"e","rooms":[` + strings.Repeat(`"x",`, 1<<20) + `"x"]}`,
		"args":  `{"event":"e","args":[` + strings.Repeat(`1,`, 2<<20) + `1]}`,
		"emits": `{"emits":[` + strings.Repeat(`{},`, 1<<20) + `{}]}`,
		"keys":  `{"event":"e","args":[{` + strings.Repeat(`"a":1,`, 600_000) + `"b":1}]}`,
		"deep":  strings.Repeat("[", 4<<20),
		"quote": `{"event":"` + strings.Repeat(`\u0041`, 600_000) + `"}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, p := decode([]byte(body), emitFields|setOf(fieldEmits), 0)
		if p == nil {
			_, _, p = arguments(r.args)
		}
		runtime.ReadMemStats(&after)
		if p == nil {
			t.Errorf("%s: accepted", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
			t.Errorf("%s: %d bytes for a body of %d", name, used, len(body))
		}
	}
}

// What the decoder accepts is JSON, within the bounds, and its arguments are those that encoding/json finds.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"event":"e","args":[1,"a",{"$binary":"AQ=="}],"rooms":["x"],"users":[],"except":["y"],"volatile":true}`,
		`{"emits":[{"event":"e"},{"event":7},{}]}`, `{"event":"e","args":[{"_placeholder":true,"num":0}]}`,
		`{"event":"\u0065","args":[[[]],{"a":{"b":[1.5e3]}}]}`, `{"event":"e","timeout_ms":5,"limit":3,"cursor":"","before":1.5}`,
		`{"event":"e","event":"e"}`, `{"event":"e"} x`, "{\"event\":\"\xff\"}", `[[[[`, ``,
	} {
		f.Add([]byte(s))
	}
	all := fieldSet(1<<fields - 1)
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := bytes.Clone(body)
		r, p := decode(body, all, 0)
		if !bytes.Equal(body, kept) {
			t.Fatal("the body was changed")
		}
		if p != nil {
			if p.Code != problem.BadJSON && p.Code != problem.BadField || !json.Valid(p.Append(nil, false)) {
				t.Fatal(p)
			}
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		for _, one := range append([]element{{request: *r}}, r.emits...) {
			checkRequest(t, &one)
		}
		checkArgs(t, r.args, want["args"])
	})
}

func checkRequest(t *testing.T, e *element) {
	t.Helper()
	if e.bad != nil {
		if p := new(problem.Problem); !errors.As(e.bad, &p) || p.Field == "" {
			t.Fatal(e.bad)
		}
		return
	}
	for _, list := range [][]string{e.rooms, e.users, e.except, e.to} {
		if len(list) > selectionMax {
			t.Fatal(len(list))
		}
		for _, s := range list {
			if s == "" || len(s) > userMax || hasControl(s) {
				t.Fatalf("%q", s)
			}
		}
	}
}

// checkArgs compares the arguments with what encoding/json makes of them.
func checkArgs(t *testing.T, array []byte, want json.RawMessage) {
	t.Helper()
	if array == nil {
		return
	}
	args, _, p := arguments(array)
	if p != nil {
		return
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(want, &elements); err != nil || len(elements) != len(args) {
		t.Fatalf("%d arguments of %s, want %d (%v)", len(args), array, len(elements), err)
	}
	for i, a := range args {
		raw := a.(server.Raw)
		if len(raw.Attachments) == 0 && !value.Special(elements[i]) && !bytes.Equal(raw.JSON, elements[i]) {
			t.Fatalf("argument %d is %s, want %s", i, raw.JSON, elements[i])
		}
		if back := appendRaw(nil, raw); !json.Valid(back) {
			t.Fatalf("argument %d is told as %s", i, back)
		}
	}
	if _, err := server.Prepare("e", args...); err != nil {
		t.Fatal(err)
	}
}

// Binary values come out as they went in.
func TestBinaryBothWays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := rng.IntN(attachmentsMax + 1)
		text := "[0"
		for i := range n {
			text += fmt.Sprintf(`,{"x":[{"$binary":%q}]}`, []string{"", "AQ==", "AQI=", "AQID"}[(i+n)%4])
		}
		text += "]"
		args, _, p := arguments([]byte("[" + text + "]"))
		if p != nil {
			t.Fatal(p)
		}
		if back := string(appendRaw(nil, args[0].(server.Raw))); back != text {
			t.Fatalf("%s became %s", text, back)
		}
	}
	for _, test := range []struct{ json, want string }{
		{"", "null"}, {"1", "1"}, {`{"a":`, "null"}, {`{"num":0,"_placeholder":true}`, `{"$binary":"AQ=="}`},
		{`{"num":1,"_placeholder":true}`, `{"num":1,"_placeholder":true}`},
		{`{"num":0,"_placeholder":true,"x":1}`, `{"num":0,"_placeholder":true,"x":1}`},
		{`[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, `[{"$binary":"AQ=="},{"$binary":"AQ=="}]`},
	} {
		if got := string(appendRaw(nil, server.Raw{JSON: []byte(test.json), Attachments: [][]byte{{1}}})); got != test.want {
			t.Errorf("%s became %s, want %s", test.json, got, test.want)
		}
	}
}

// The fields that the description has are those that the decoder takes.
func TestDescribedFieldsAreDecoded(t *testing.T) {
	values := map[string]string{"string": `"x"`, "array": `[]`, "boolean": "true", "integer": "1"}
	for i := range callTable {
		c := &callTable[i]
		body := "{"
		for f := range c.fields.all {
			kind, _ := fieldSpecs[f].schema["type"].(string)
			value := values[kind]
			if value == "" {
				value = "1"
			}
			body += fmt.Sprintf("%q:%s,", fieldSpecs[f].name, value)
		}
		body = strings.TrimSuffix(body, ",") + "}"
		if _, p := decode([]byte(body), c.fields, c.required); p != nil {
			t.Errorf("%s: %s: %v", c.name, body, p)
		}
		for f := range (fieldSet(1<<fields-1) &^ c.fields).all {
			name := fieldSpecs[f].name
			if _, p := decode([]byte(`{"`+name+`":1}`), c.fields, 0); p == nil || p.Field != name {
				t.Errorf("%s takes %s: %v", c.name, name, p)
			}
		}
	}
}
