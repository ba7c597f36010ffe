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
