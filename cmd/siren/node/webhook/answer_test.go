package webhook

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestAnswers(t *testing.T) {
	values := func(all ...string) (list []jsontext.Value) {
		list = []jsontext.Value{}
		for _, v := range all {
			list = append(list, jsontext.Value(v))
		}
		return list
	}
	for _, c := range []struct {
		name string
		kind Kind
		text string
		want Answer
	}{
		{"nothing", Event, "", Answer{}},
		{"white space", Disconnect, " \r\n", Answer{}},
		{"an empty object", Event, "{}", Answer{}},
		{"unknown members", Event, `{"x":1}`, Answer{}},
		{"an acknowledgement", Event, `{"ack":[1,"a",{"b":2}]}`, Answer{Acked: true, Ack: values("1", `"a"`, `{"b":2}`)}},
		{"an empty acknowledgement", Event, `{"ack":[]}`, Answer{Acked: true, Ack: values()}},
		{"emits", Event, `{"emit":[{"rooms":["a"],"except":["b"],"event":"e","args":[1.50]},{"event":"all"},{"event":"nobody","rooms":[]}]}`, Answer{Emit: []Emit{
			{Rooms: []string{"a"}, Except: []string{"b"}, Event: "e", Args: values("1.50")}, {Event: "all"}, {Event: "nobody", Rooms: []string{}}}}},
		{"what a disconnect does not have", Disconnect, `{"ack":5,"emit":5,"allow":5}`, Answer{}},
		{"allowed", Connect, `{"allow":true}`, Answer{Allow: true}},
		{"allowed with all", Connect, `{"allow":true,"rooms":["a","b"],"data":{"x":1},"emit":[{"event":"hi","args":[]}],"message":5}`,
			Answer{Allow: true, Rooms: []string{"a", "b"}, Data: jsontext.Value(`{"x":1}`), Emit: []Emit{{Event: "hi", Args: values()}}}},
		{"refused", Connect, `{"allow":false}`, Answer{}},
		{"refused with all", Connect, `{"allow":false,"message":"go","data":null,"rooms":5,"emit":5}`, Answer{Message: "go", Data: jsontext.Value("null")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseAnswer(c.kind, []byte(c.text))
			if err != nil || !reflect.DeepEqual(*got, c.want) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		text string
	}{
		{Event, "null"}, {Event, "[]"}, {Event, "5"}, {Event, "x"}, {Event, `{"a":1`}, {Event, `{"a":1,"a":2}`}, {Event, "{\"a\":\"\xff\"}"},
		{Event, "{}{}"}, {Event, `{"a":` + strings.Repeat("[", 20_000)}, {Disconnect, "<html>"},
		{Connect, ""}, {Connect, "{}"}, {Connect, `{"allow":null}`}, {Connect, `{"allow":"true"}`}, {Connect, `{"allow":1}`}, {Connect, `{"Allow":true}`},
	} {
		if got, err := parseAnswer(c.kind, []byte(c.text)); !errors.Is(err, ErrAnswer) || got != nil {
			t.Errorf("%v %.40q: %+v, %v", c.kind, c.text, got, err)
		}
	}
}

// A wrong part is left out by itself.
func TestWrongParts(t *testing.T) {
	good := `{"event":"e"}`
	for _, c := range []struct {
		kind Kind
		text string
	}{
		{Event, `{"ack":null,"emit":[` + good + `]}`},
		{Event, `{"ack":{},"emit":[` + good + `]}`},
		{Event, `{"emit":[5,` + good + `]}`},
		{Event, `{"emit":[null,` + good + `]}`},
		{Event, `{"emit":[{},` + good + `]}`},
		{Event, `{"emit":[{"event":""},` + good + `]}`},
		{Event, `{"emit":[{"event":"a\u0000"},` + good + `]}`},
		{Event, `{"emit":[{"event":5},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","args":5},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","args":null},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","rooms":"a"},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","rooms":null},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","rooms":[null]},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","rooms":[""]},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","rooms":["a"` + strings.Repeat(`,"a"`, 1000) + `]},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","except":[5]},` + good + `]}`},
		{Event, `{"emit":[{"event":"e","room":"a"},` + good + `]}`},
		{Connect, `{"allow":true,"rooms":5,"emit":[` + good + `]}`},
		{Connect, `{"allow":true,"rooms":["",` + `"a"],"emit":[` + good + `]}`},
	} {
		a, err := parseAnswer(c.kind, []byte(c.text))
		if err != nil || len(a.Wrong) != 1 || len(a.Emit) != 1 || a.Acked || a.Allow != (c.kind == Connect) {
			t.Errorf("%.60s: %+v, %v", c.text, a, err)
		}
	}
	if a, err := parseAnswer(Event, []byte(`{"ack":[1],"emit":5}`)); err != nil || len(a.Wrong) != 1 || !a.Acked {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := parseAnswer(Connect, []byte(`{"allow":false,"message":5,"data":1}`)); err != nil || len(a.Wrong) != 1 || a.Message != "" || a.Data == nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestSecrets(t *testing.T) {
	for s, ok := range map[string]bool{
		"text": true, "whsec_AAAA": true, "whsec_": false, "whsec_!": false, "whsec_AAA": false, "": false, "WHSEC_!": true,
	} {
		if _, err := parseSecret(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// What is accepted is JSON for encoding/json as well, and allows only what says so.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"allow":true,"rooms":["a"],"emit":[{"event":"e","args":[{"$binary":"AA=="}]}]}`, `{"ack":[1]}`, `{"allow":false,"message":"x"}`, "null",
	} {
		f.Add(uint8(0), []byte(s))
		f.Add(uint8(1), []byte(s))
	}
	f.Fuzz(func(t *testing.T, k uint8, text []byte) {
		a, err := parseAnswer(Kind(k%uint8(kinds)), text)
		if err != nil {
			return
		}
		var want map[string]any
		if len(strings.TrimSpace(string(text))) > 0 && json.Unmarshal(text, &want) != nil {
			t.Fatalf("%q is no object", text)
		}
		if a.Allow && want["allow"] != true {
			t.Errorf("%q allows", text)
		}
		for _, e := range a.Emit {
			if e.Event == "" {
				t.Errorf("%q emits an event without a name", text)
			}
			for _, arg := range e.Args {
				if !arg.IsValid() {
					t.Errorf("%q: %q", text, arg)
				}
			}
		}
	})
}
