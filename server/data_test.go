package server

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/packets"
)

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
		args, err := packets.ParseData(m.Data)
		var want []json.RawMessage
		trimmed := bytes.Trim(data, " \t\r\n")
		if bad := json.Unmarshal(trimmed, &want); err == nil {
			if bad != nil || len(want) != args.Len() || len(args.All()) != args.Len() {
				t.Errorf("%q: %d arguments, want %d: %v", data, args.Len(), len(want), bad)
			}
			for i, a := range args.All() {
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
