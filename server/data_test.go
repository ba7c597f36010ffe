package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/seed58c87869/siren/room/cluster"
)

func TestParseEvent(t *testing.T) {
	for _, test := range []struct {
		data, event string
		args        []string
	}{
		{`["e"]`, "e", nil},
		{` [ "e" , 1 , {"a":[1,2]} ] `, "e", []string{"1", `{"a":[1,2]}`}},
		{`["\u00e4\"",null,"x,]"]`, `ä"`, []string{"null", `"x,]"`}},
	} {
		event, args, err := parseEvent(Raw{JSON: []byte(test.data)})
		if err != nil || event != test.event || args.n != len(test.args) || len(args.all()) != args.n {
			t.Errorf("%s: %q %d %v", test.data, event, args.n, err)
		}
		for i, want := range test.args {
			if got := string(args.at(i).JSON); got != want {
				t.Errorf("%s: argument %d is %s", test.data, i, got)
			}
		}
	}
	for _, data := range []string{``, `[]`, `[1]`, `[null,"e"]`, `["e"`, `"e"`, `{"e":1}`, `["e",]`, `["e"],`, `["e"]]`, `[,"e"]`} {
		if _, _, err := parseEvent(Raw{JSON: []byte(data)}); err == nil {
			t.Errorf("%s is no event", data)
		}
	}
	if _, err := parseData(Raw{}); !errors.Is(err, errData) {
		t.Error(err)
	}
}

// Whatever another node sends, it is dropped or followed, and what is followed is what encoding/json reads.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{`["e",1]`, `["e",{"_placeholder":true,"num":0}]`, `["e",[[[]]]]`, `[]`, `["connect"]`, `["e",1e999]`, "[\"\xff\"]"} {
		f.Add(uint8(cluster.Broadcast), []byte(seed), []byte{1}, "id", 1)
		f.Add(uint8(cluster.ServerSideEmit), []byte(seed), []byte{}, "", -1)
		f.Add(uint8(cluster.BroadcastAck), []byte(seed), []byte{}, "id", 0)
	}
	f.Fuzz(func(t *testing.T, kind uint8, data, attachment []byte, request string, count int) {
		srv, err := New(Config{Loops: 1}, WithAdapter(cluster.NewBus().Node("a")))
		if err != nil {
			t.Fatal(err)
		}
		m := &cluster.Message{
			Kind: cluster.Kind(kind), Namespace: "/", From: "b", Request: request, Count: count,
			Data: Raw{JSON: data, Attachments: [][]byte{attachment}}, Rooms: []string{"r"},
		}
		srv.node.receive(srv.root, m)
		args, err := parseData(m.Data)
		var want []json.RawMessage
		trimmed := bytes.Trim(data, " \t\r\n")
		if bad := json.Unmarshal(trimmed, &want); err == nil {
			if bad != nil || len(want) != args.n || len(args.all()) != args.n {
				t.Errorf("%q: %d arguments, want %d: %v", data, args.n, len(want), bad)
			}
			for i, a := range args.all() {
				if got := a.(Raw).JSON; !bytes.Equal(got, bytes.Trim(want[i], " \t\r\n")) {
					t.Errorf("%q: argument %d is %q, want %q", data, i, got, want[i])
				}
			}
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A rollcall by name, by number, and before it is known who is there.
func TestRoll(t *testing.T) {
	named := cluster.Peers{Count: 2, Nodes: []string{"b", "a"}}
	for name, test := range map[string]struct {
		before  []string
		peers   cluster.Peers
		after   []string
		missing int
		ids     []string
	}{
		"nobody":          {},
		"all missing":     {peers: named, missing: 2, ids: []string{"a", "b"}},
		"one twice":       {peers: named, after: []string{"b", "b"}, missing: 1, ids: []string{"a"}},
		"a stranger":      {peers: named, after: []string{"c", "a"}, missing: 1, ids: []string{"b"}},
		"early":           {before: []string{"a", "c"}, peers: named, after: []string{"b"}},
		"without a name":  {peers: named, after: []string{"", "a"}, missing: 0, ids: []string{"b"}},
		"by number":       {before: []string{"x", ""}, peers: cluster.Peers{Count: 4}, after: []string{"y"}, missing: 1},
		"more than known": {peers: cluster.Peers{Count: 1}, after: []string{"x", "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			var r roll
			for _, id := range test.before {
				r.answered(id)
			}
			if r.complete() {
				t.Error("complete before anything is known")
			}
			r.expect(test.peers)
			for _, id := range test.after {
				r.answered(id)
			}
			n, ids := r.missing()
			if n != test.missing || r.complete() != (test.missing == 0) || len(ids) != len(test.ids) {
				t.Errorf("missing %d %q", n, ids)
			}
		})
	}
}
