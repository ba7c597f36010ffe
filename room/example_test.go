package room_test

import (
	"fmt"

	"github.com/seed58c87869/siren/room"
)

// user is a socket: it embeds its place in the rooms.
type user struct {
	room.Member
	name string
}

// A server with one shard, where the mailbox between the steps is left out.
func Example() {
	dir := room.NewDirectory(1)
	shard := room.NewShard(0)

	join := func(u *user, name string) {
		r, _ := dir.Acquire(name, u.Shard()) // by the caller of Join
		if !shard.Join(&u.Member, r) {       // by the loop
			dir.Release(r, u.Shard())
		}
	}
	ada, bob := &user{name: "Ada"}, &user{name: "Bob"}
	for _, u := range []*user{ada, bob} {
		u.Init(0, u)
		join(u, "lobby")
	}

	target := &room.Target{Rooms: []*room.Room{dir.Lookup("lobby")}, ExceptMember: &bob.Member}
	n := shard.Walk(target, func(m *room.Member) {
		fmt.Println("to", m.Owner().(*user).name)
	})
	fmt.Println(n, "of", dir.Lookup("lobby").Count())

	for _, u := range []*user{ada, bob} {
		shard.Detach(&u.Member, func(r *room.Room) { dir.Release(r, 0) })
	}
	fmt.Println(dir.Len(), "rooms left")
	// Output:
	// to Ada
	// 1 of 2
	// 0 rooms left
}
