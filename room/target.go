package room

// Target says whom a broadcast is for. It is immutable once it has been posted
// to a shard: one value serves all shards, and none of them writes to it.
//
// The members selected are those of Rooms and Members, each once, without those
// of Except, ExceptMembers and ExceptMember. No Rooms and no Members means
// nobody: a broadcast to the whole namespace names [Directory.Everyone], and one
// to a room that does not exist reaches no one.
//
// Nil rooms are skipped, so what [Directory.Lookup] returns can be put into
// Rooms and Except as it is.
type Target struct {
	Rooms  []*Room
	Except []*Room

	// Members and ExceptMembers are single sockets, named by their own ids.
	// Nil members are not allowed.
	Members       []*Member
	ExceptMembers []*Member

	// ExceptMember is the sender of a broadcast to all but itself, or nil. It is
	// the same as one more in ExceptMembers but costs less.
	ExceptMember *Member
}

// OnShard reports whether the target may have members on a shard, so that the
// broadcast is to be posted there. It is safe for concurrent use.
func (t *Target) OnShard(shard int) bool {
	for _, r := range t.Rooms {
		if r != nil && r.CountOn(shard) > 0 {
			return true
		}
	}
	for _, m := range t.Members {
		if int(m.shard) == shard {
			return true
		}
	}
	return false
}

// simple reports whether the target is nothing but rooms, and at most one member
// left out. If it is one room, the members need no marks.
func (t *Target) simple() bool {
	return len(t.Except) == 0 && len(t.Members) == 0 && len(t.ExceptMembers) == 0
}
