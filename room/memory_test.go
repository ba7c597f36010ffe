package room

import (
	"fmt"
	"runtime"
	"testing"
)

// heap returns the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return ms.HeapAlloc
}

// TestMemory notes what memberships cost, and asserts generous bounds so that
// a change of the layout does not go unseen.
func TestMemory(t *testing.T) {
	const sockets = 2000
	tests := []struct {
		name     string
		shards   int
		rooms    int // each socket is in all of them, or in as many of its own
		own      bool
		boundPer uint64 // bytes per pair of member and room
	}{
		{"one large room", 8, 1, false, 80},
		{"ten large rooms", 8, 10, false, 80},
		{"a room with one member, 1 shard", 1, 1, true, 400},
		{"a room with one member, 8 shards", 8, 1, true, 500},
		{"a room with one member, 64 shards", 64, 1, true, 1600},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := NewDirectory(test.shards)
			shards := make([]*Shard, test.shards)
			for i := range shards {
				shards[i] = NewShard(i)
			}
			members := make([]Member, sockets)
			names := make([]string, sockets*test.rooms)
			for i := range members {
				members[i].Init(i%test.shards, nil)
			}
			for i := range names {
				names[i] = fmt.Sprintf("room-%08d", i)
			}
			before := heap()
			for i := range members {
				for j := range test.rooms {
					name := names[j]
					if test.own {
						name = names[i*test.rooms+j]
					}
					m := &members[i]
					r, _ := d.Acquire(name, m.Shard())
					shards[m.Shard()].Join(m, r)
				}
			}
			after := heap()
			per := (after - min(before, after)) / uint64(sockets*test.rooms)
			t.Logf("%d bytes per member and room", per)
			if per > test.boundPer {
				t.Errorf("%d bytes per member and room, more than %d", per, test.boundPer)
			}
			runtime.KeepAlive(names)
			runtime.KeepAlive(members)
			runtime.KeepAlive(d)
		})
	}
}
