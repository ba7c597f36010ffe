package server

import (
	"time"

	"github.com/seed58c87869/siren/room"
)

// blockWork is about how long a walk serves members, in nanoseconds, before it asks whether its turn is over.
const blockWork = int(10 * time.Microsecond)

// visitor does something with the members of a target. One value serves all loops.
type visitor interface {
	// work is the estimated time that one member takes, in nanoseconds. Immutable.
	work() int
	// visit serves the next members of the loop, of which rest more follow. Some of them may have been detached since they
	// were selected. A panic of one member must not keep visit from serving the others. Loop-only.
	visit(loop int, members []*room.Member, rest int)
	// visited is called on the loop when all its members were visited, also if there are none.
	visited(loop int)
}

// walk goes on with the visit of members that takes more than one turn of the loop. The members are fixed at its begin.
// Loop-owned.
type walk struct {
	ns        *Namespace
	visitor   visitor
	selection room.Selection
	rest      []*room.Member // of the selection: not visited yet
}

// walk visits the members that the target selects on a loop: now, as far as the budget of the turn goes, and the others
// in later turns, before all that is posted to the loop. It must be the last thing that a task does. Loop-only.
func (ns *Namespace) walk(loop int, target *room.Target, v visitor) {
	w := walk{ns: ns, visitor: v, selection: ns.shards[loop].Select(target)}
	w.rest = w.selection.Members()
	w.Run(loop)
}

// Run implements task.
func (w *walk) Run(loop int) {
	defer w.goOn(loop) // behind a panic, too: others have nothing to do with it
	l, work := w.ns.srv.host.Loop(loop), w.visitor.work()
	block := max(blockWork/work, 1)
	for over := false; len(w.rest) > 0 && !over; {
		members := w.rest[:min(block, len(w.rest))]
		w.rest = w.rest[len(members):]
		w.visitor.visit(loop, members, len(w.rest))
		over = l.Spend(len(members) * work)
	}
}

// goOn leaves the members that are left to a later turn, or ends the walk.
func (w *walk) goOn(loop int) {
	if len(w.rest) > 0 {
		next := *w
		w.ns.srv.host.Loop(loop).Continue(&next)
		return
	}
	w.selection.End()
	w.visitor.visited(loop)
}

// each calls fn for the members, and goes on with the others when fn panics.
func each(members []*room.Member, fn func(m *room.Member)) {
	done := 0
	defer func() {
		if done < len(members) {
			each(members[done+1:], fn)
		}
	}()
	for ; done < len(members); done++ {
		fn(members[done])
	}
}
