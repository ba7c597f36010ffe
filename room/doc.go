// Package room holds the room membership of one namespace and selects the
// members that a broadcast is for.
//
// # Who owns what
//
// A namespace has one [Directory]: a concurrent map from a room's name to its
// [Room]. Anybody may use it. A Room has one part per shard: the list of the
// members whose connections live on that shard's event loop. A part, the
// [Member] values in it and the [Shard] through which they are reached belong
// to that loop alone, so joining, leaving and walking take no lock. What
// crosses shards is a counter per room and shard, and it is atomic. The loop's
// state is the only truth about membership. A [View] shows it to the socket's
// user, overlaid with the operations that are on their way to the loop; it is
// guarded by the socket's own mutex.
//
// # A reference, then a link
//
// Joining takes two steps, because Join may be called from any goroutine and
// only the loop may link a member:
//
//  1. The caller takes a reference with [Directory.Acquire] and posts the
//     *Room to the loop of the member's shard.
//  2. The loop links the member with [Shard.Join].
//
// From step 1 on, the room can be looked up and [Room.CountOn] is above zero
// for that shard, so a broadcast that the same goroutine sends next is posted
// to that shard too; as a mailbox is first-in first-out, it finds the member
// linked. Leaving is the mirror image: the loop unlinks with [Shard.Leave] and
// then gives the reference back with [Directory.Release]. The last reference
// removes the room. Each Acquire is paired with exactly one Release: after the
// member was unlinked, or at once if Join reports false.
//
// # Broadcast
//
// The sender resolves names to rooms once and puts them into a [Target], which
// is immutable from then on, posts it to every shard for which
// [Target.OnShard] is true, and there [Shard.Walk] visits each selected member
// once, without a map look-up and without allocating:
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
// The members are selected before the first is visited, so a visitor may link
// and unlink as it likes: who joins during the walk is not visited, who leaves
// still is, and who is detached is not. [Shard.Select] hands out the selection
// as one slice, for a loop that wants to touch the memory of some members ahead.
//
// The room that holds every socket of the namespace is [Directory.Everyone]. It
// has no name in the directory, so no user can join it or collide with it.
package room
