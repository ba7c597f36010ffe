package server

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkSmallRoom is one event of a member of a room of six, which its handler passes on to the others: from the
// parsed message to the connections' queues. There are many such rooms, so that their sockets are in no cache.
func BenchmarkSmallRoom(b *testing.B) {
	const members, rooms = 6, 300
	data := []byte(`2["move","#000123:00000001:0000000000000000000:xxx"]`)
	for _, place := range []struct {
		name string
		opts []HandlerOption
	}{{"off the loop", nil}, {"inline", []HandlerOption{Inline()}}} {
		b.Run(place.name, func(b *testing.B) {
			r := benchRig(b)
			room := NewKey[string]("room")
			sockets := r.fill(b, rooms*members, "all")
			for i, s := range sockets {
				name := fmt.Sprint("game-", i/members)
				if err := s.Join(name); err != nil {
					b.Fatal(err)
				}
				room.Set(s, name)
				if i%members == members-1 {
					r.loop.run()
				}
			}
			done := make(chan struct{}, 1)
			r.srv.root.On("move", func(_ context.Context, m *Message) {
				var text string
				if name, ok := room.Get(m.Socket()); ok && m.Decode(&text) == nil {
					_, _ = m.Socket().To(name).Emit("move", text)
				}
				done <- struct{}{}
			}, place.opts...)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				sockets[i*7%len(sockets)].client.Message(data, false)
				<-done
				r.loop.run()
			}
		})
	}
}
