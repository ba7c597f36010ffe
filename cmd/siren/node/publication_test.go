package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server"
)

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "lobby": true, "ein Raum": true, "日本": true, "👍": true, "\uFFFD": true, "a/b:c": true,
		strings.Repeat("x", pattern.MaxBytes): true, strings.Repeat("x", pattern.MaxBytes+1): false,
		strings.Repeat("ü", pattern.MaxBytes/2): true, strings.Repeat("ü", pattern.MaxBytes/2) + "x": false,
		"": false, "a\nb": false, "\x00": false, "a\x7f": false, "\u0085": false, "a\xff": false, "\xc3": false,
	} {
		if err := checkName("room", name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestRoomNames(t *testing.T) {
	for in, want := range map[string][]string{
		`"lobby"`:       {"lobby"},
		`["a","b"]`:     {"a", "b"},
		`[ "a" , "b" ]`: {"a", "b"},
		`[]`:            {},
		``:              nil,
		`null`:          nil,
		`7`:             nil,
		`{}`:            nil,
		`""`:            nil,
		`["a",""]`:      nil,
		`["a",7]`:       nil,
		`["a",["b"]]`:   nil,
		"[" + strings.Repeat(`"a",`, roomsPerCall) + `"a"]`: nil,
	} {
		got, err := namesOf("rooms", server.Raw{JSON: []byte(in)})
		if (err == nil) != (want != nil) || err == nil && !slices.Equal(got, want) {
			t.Errorf("%.40s: %v, %v", in, got, err)
		}
	}
}

func TestReadPublication(t *testing.T) {
	for in, want := range map[string]string{ // "" is right
		`{"event":"e","room":"r","data":1}`: "", `{ "event" : "e" , "rooms" : [ "r" , "s" ] }`: "",
		`{"event":"e","rooms":[],"args":[1,"a",[{}]]}`: "", `{"event":"e","all":true,"except":"r"}`: "",
		`{"event":"e","room":"r","all":false,"except":["a","b"]}`: "", `{"\u0065vent":"e","room":"r"}`: "",

		`{"event":"e"}`:                               "the room is missing; all: true means everybody",
		`{"event":"e","all":false}`:                   "the room is missing; all: true means everybody",
		`{"event":"e","rooom":"r"}`:                   `unknown key "rooom"; the keys are event, data, args, room, rooms, all, except`,
		`{"event":"e","Room":"r"}`:                    `unknown key "Room"`,
		`{"event":"e","room":"r","room":"s"}`:         `the key "room" is there twice`,
		`{"event":"e","room":"r","rooms":["s"]}`:      "room and rooms exclude each other",
		`{"event":"e","all":true,"rooms":["s"]}`:      "all and room exclude each other",
		`{"event":"e","room":"r","data":1,"args":[]}`: "data and args exclude each other",
		`{"event":"e","room":null}`:                   "the room must be a string",
		`{"event":"e","room":["r"]}`:                  "the room must be a string",
		`{"event":"e","room":""}`:                     "the room name must have 1 to 128 bytes",
		`{"event":"e","rooms":"r","args":{}}`:         "args must be a list",
		`{"event":"e","rooms":{}}`:                    "the rooms must be a string or a list of strings",
		`{"event":"e","room":"r","except":[1]}`:       "the except must be a string or a list of strings",
		`{"event":"e","all":"yes"}`:                   "all must be true or false",
		`{"event":7,"room":"r"}`:                      "the event must be a string",
		`{"event":"","room":"r"}`:                     "the event name must have 1 to 128 bytes",
		`{"room":"r"}`:                                "the event name must have 1 to 128 bytes",
		`{}`:                                          "the room is missing",
		`[]`:                                          "the argument must be an object",
		`"text"`:                                      "the argument must be an object",
		`null`:                                        "the argument must be an object",
		``:                                            "the argument must be an object",
	} {
		_, err := readPublication(server.Raw{JSON: []byte(in)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	p, err := readPublication(server.Raw{JSON: []byte(`{"event":"e","rooms":["a","b"],"args":[1,"x"],"except":"c"}`)})
	if err != nil || p.event != "e" || len(p.args) != 2 || !slices.Equal(p.rooms, []string{"a", "b"}) || !slices.Equal(p.except, []string{"c"}) {
		t.Errorf("%+v, %v", p, err)
	}
}

// FuzzPublication: no argument of publish makes reading it panic, and what is read passes the checks of names.
func FuzzPublication(f *testing.F) {
	for _, text := range []string{`{"event":"e","room":"r","data":[1]}`, `{"args":[[],{}],"all":true}`, `{ }`, `["a"]`, `"\ud800"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !sio.Valid([]byte(text), 64) {
			return
		}
		p, err := readPublication(server.Raw{JSON: []byte(strings.Trim(text, " \t\r\n"))})
		if err != nil {
			return
		}
		for _, name := range append(append([]string{p.event}, p.rooms...), p.except...) {
			if pattern.Check(name) != nil {
				t.Errorf("%q", name)
			}
		}
	})
}
