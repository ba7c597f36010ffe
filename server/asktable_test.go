package server

import "testing"

// N9: packet ids of sockets and of broadcasts go round, each in a range of its own, and skip those in use.
func TestN9AckIDs(t *testing.T) {
	var acks ackTable
	add := func() uint64 {
		p := &pendingAck{}
		acks.add(p)
		return p.id
	}
	if id := add(); id != 0 {
		t.Fatal(id)
	}
	acks.next = broadcastAcks - 1
	for i, want := range []uint64{broadcastAcks - 1, 1, 2} {
		if id := add(); id != want {
			t.Errorf("%d: got %d, want %d", i, id, want)
		}
	}
	var asks askTable
	for i, want := range []uint64{broadcastAcks, broadcastAcks + 1, ackIDs - 1, broadcastAcks + 2} {
		if i == 2 {
			asks.next = ackIDs - 1 - broadcastAcks
		}
		a := &ask{}
		if !asks.add(a, 4) || a.id != want || asks.get(want) != a {
			t.Errorf("%d: got %d, want %d", i, a.id, want)
		}
	}
	if asks.add(&ask{}, 4) || len(asks.all()) != 4 || asks.n.Load() != 4 {
		t.Error("one too many")
	}
	for _, a := range asks.all() {
		asks.remove(a)
	}
	if asks.n.Load() != 0 || asks.get(broadcastAcks) != nil {
		t.Error("something is left")
	}
}
