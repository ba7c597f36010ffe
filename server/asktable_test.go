package server

import "testing"

// Packet ids of sockets and of broadcasts go round, each in a range of its own, and skip those in use.
func TestAckIDs(t *testing.T) {
	var owed debts
	add := func() uint32 {
		d := &debt{c: &collector{}}
		owed.assign(d.c)
		owed.add(d)
		return d.c.id
	}
	if id := add(); id != 0 {
		t.Fatal(id)
	}
	owed.next = broadcastAcks - 1
	for i, want := range []uint32{broadcastAcks - 1, 1, 2} {
		if id := add(); id != want {
			t.Errorf("%d: got %d, want %d", i, id, want)
		}
	}
	var asks askTable
	var ids []uint32
	for i, want := range []uint32{broadcastAcks, broadcastAcks + 1, ackIDs - 1, broadcastAcks + 2} {
		if i == 2 {
			asks.next = ackIDs - 1 - broadcastAcks
		}
		a := &ask{}
		if !asks.add(a, 4) || a.id != want {
			t.Errorf("%d: got %d, want %d", i, a.id, want)
		}
		ids = append(ids, a.id)
	}
	if asks.add(&ask{}, 4) || asks.len() != 4 {
		t.Error("one too many")
	}
	for _, id := range ids {
		asks.remove(id)
	}
	if asks.len() != 0 {
		t.Error("something is left")
	}
}

// len returns the number of broadcasts that wait.
func (t *askTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.ids)
}
