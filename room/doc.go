// Package room holds the room membership of one namespace and selects the
// members that get a broadcast.
//
// # Ownership
//
// A namespace has one [Directory]: a concurrent map from a room's name to its
// [Room], safe for use by any goroutine. A Room has one part per shard: the list
// of the members whose connections live on that shard's event loop. The part, its
// [Member] values and the [Shard] that reaches them are owned by that loop, so
// joining, leaving and walking take no lock. Only a counter per room and shard
// is shared between shards; it is atomic. The loop's state defines the
// membership. A [View] shows it to the socket's user, including the operations
// that are on their way to the loop; the socket's own mutex guards it.
//
// # References and links
//
// Joining takes two steps, because any goroutine may call Join but only the loop
// may link a member:
//
//  1. The caller takes a reference with [Directory.Acquire] and posts the
//     *Room to the loop of the member's shard.
//  2. The loop links the member with [Shard.Join].
//
// After step 1 the room can be looked up, and [Room.CountOn] is above zero for
// that shard. So a broadcast that the same goroutine sends next is posted to that
// shard too, and finds the member linked, because a mailbox is first-in
// first-out. Leaving is the reverse: the loop unlinks with [Shard.Leave] and then
// returns the reference with [Directory.Release]. Releasing the last reference
// removes the room. Each Acquire is paired with exactly one Release: after the
// member was unlinked, or at once if Join reports false.
//
// # Broadcast
//
// The sender resolves names to rooms once and puts them into a [Target], which is
// immutable from then on. It posts the Target to every shard for which
// [Target.OnShard] is true. There [Shard.Walk] visits each selected member once,
// without a map look-up and without allocating:
//
//	t := &room.Target{Rooms: []*room.Room{dir.Lookup("lobby")}, ExceptMember: sender}
//	for i := range loops {
//		if t.OnShard(i) {
//			loops[i].Post(t, frame)
//		}
//	}
//
//	// on each loop:
//	shard.Walk(t, func(m *room.Member) { m.Owner().(*Socket).Enqueue(frame) })
//
// The members are selected before the first is visited, so a visitor may link and
// unlink members: one that joins during the walk is not visited, one that leaves
// still is, and one that is detached is not. [Shard.Select] returns the selection
// as one slice, for a loop that prefetches the memory of members.
//
// [Directory.Everyone] is the room of all sockets of the namespace. It has no name
// in the directory, so no user can join it or collide with it.
package room
