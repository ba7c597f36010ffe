// Package walk serves the members that a broadcast or another operation selects on an event loop, in as many turns of
// the loop as that takes.
package walk

import (
	"time"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/attach"
)

// blockWork is about how long a walk serves members, in nanoseconds, before it asks whether its turn is over.
const blockWork = int(10 * time.Microsecond)

// Visitor does something with the members of a target. One value serves all loops.
type Visitor interface {
	// Work returns the estimated time that one member takes, in nanoseconds. Immutable.
	Work() int
	// Visit serves the next members of the loop; rest more follow. Some of them may have been detached since they were
	// selected. A panic of one member must not keep Visit from serving the others. Loop-only.
	Visit(loop int, members []*room.Member, rest int)
	// Visited is called on the loop when all its members were visited, also if there are none.
	Visited(loop int)
}

// walk visits members in one turn of the loop or in several. Its members are fixed from the beginning. Loop-owned.
type walk struct {
	loop      attach.Loop
	visitor   Visitor
	selection room.Selection
	rest      []*room.Member // members of the selection that were not visited yet
}

// Members visits the members that the target selects on a loop, of which it gets the index and the shard: now, as far
// as the budget of the turn goes, and the others in later turns, before everything that is posted to the loop. It must
// be the last thing that a task does. Loop-only.
func Members(loop attach.Loop, index int, shard *room.Shard, target *room.Target, v Visitor) {
	w := walk{loop: loop, visitor: v, selection: shard.Select(target)}
	w.rest = w.selection.Members()
	defer w.pause(index) // also after a panic, which must not affect other members
	w.visit(index)
}

// visit visits members until the turn is over.
func (w *walk) visit(loop int) {
	work := w.visitor.Work()
	block := max(blockWork/work, 1)
	for over := false; len(w.rest) > 0 && !over; {
		members := w.rest[:min(block, len(w.rest))]
		w.rest = w.rest[len(members):]
		w.visitor.Visit(loop, members, len(w.rest))
		over = w.loop.Spend(len(members) * work)
	}
}

// pause leaves the rest of the members to later turns, or ends the walk.
func (w *walk) pause(loop int) {
	if len(w.rest) > 0 {
		w.loop.Continue(&longWalk{*w})
		return
	}
	w.end(loop)
}

func (w *walk) end(loop int) {
	w.selection.End()
	w.visitor.Visited(loop)
}

// longWalk is a walk that takes more than one turn. It is allocated once; a shorter walk takes no memory. Loop-owned.
type longWalk struct{ walk }

// Run visits members until the turn is over.
func (w *longWalk) Run(loop int) {
	defer w.proceed(loop)
	w.visit(loop)
}

// proceed leaves the rest of the members to the next turn, or ends the walk.
func (w *longWalk) proceed(loop int) {
	if len(w.rest) > 0 {
		w.loop.Continue(w)
		return
	}
	w.end(loop)
}

// Each calls fn for the members. If fn panics, it continues with the others.
func Each(members []*room.Member, fn func(m *room.Member)) {
	done := 0
	defer func() {
		if done < len(members) {
			Each(members[done+1:], fn)
		}
	}()
	for ; done < len(members); done++ {
		fn(members[done])
	}
}
