package peers

import (
	"slices"

	"github.com/seed58c87869/siren/room/cluster"
)

// Others counts the other nodes as parties of a wait, whose mutex guards it.
type Others struct {
	Roll
	// Request is the id of the question in the cluster; "" before it has one.
	Request string
	// Expected is the number of clients of other nodes that were asked, answered of those that have answered. owed has
	// the number of missing ones for each node.
	Expected, Answered int
	owed               map[string]int
	lost               int
	// Trouble is the reason why the other nodes may not have got the question.
	Trouble error
}

// Complete reports whether no node and none of its clients is waited for.
func (o *Others) Complete() bool { return o.Roll.complete() && o.Answered+o.lost >= o.Expected }

// Asked notes that a node has asked n clients.
func (o *Others) Asked(node string, n int) {
	o.Expected += n
	o.owe(node, n)
	o.Roll.Answered(node)
}

// Acknowledged notes the acknowledgement of a client of a node. It may come before the number of those that were asked.
func (o *Others) Acknowledged(node string) {
	o.Answered++
	o.owe(node, -1)
}

func (o *Others) owe(node string, n int) {
	if node == "" {
		return // nobody will tell that it has gone
	}
	if o.owed == nil {
		o.owed = map[string]int{}
	}
	o.owed[node] += n
}

// Gone notes that a node has left: it does not answer, and neither do its clients.
func (o *Others) Gone(node string) {
	o.lost += max(o.owed[node], 0)
	delete(o.owed, node)
	o.Roll.Answered(node)
}

// nodeState is the state of a node that was asked.
type nodeState uint8

const (
	nodeAsked    nodeState = iota
	nodeAnswered           // or it has left
	nodeRefused            // it could not take the question
)

// Roll notes which of the other nodes have answered. The zero value expects an unknown number of them.
type Roll struct {
	Known bool
	// count is the number of nodes; named has those whose ids are known.
	count int
	named map[string]nodeState
	// early has the nodes that reported before expect was called.
	early map[string]nodeState
	// heard counts the answers without a known sender, refusals the nodes that refused the question.
	heard, Refusals int
}

// Expect sets the nodes that are asked. It is called once.
func (r *Roll) Expect(p cluster.Peers) {
	r.Known, r.count = true, p.Count
	if len(p.Nodes) > 0 {
		r.named = make(map[string]nodeState, len(p.Nodes))
		for _, id := range p.Nodes {
			r.named[id] = nodeAsked
		}
	}
	early := r.early
	r.early = nil
	for id, s := range early {
		if _, ok := r.named[id]; ok || r.named == nil {
			r.note(id, s)
		}
	}
}

// Answered notes a node that has answered, or will not because it has left.
func (r *Roll) Answered(node string) { r.note(node, nodeAnswered) }

// Refused notes a node that could not take the question.
func (r *Roll) Refused(node string) { r.note(node, nodeRefused) }

func (r *Roll) note(node string, s nodeState) {
	switch {
	case !r.Known && node != "":
		if r.early == nil {
			r.early = map[string]nodeState{}
		}
		r.early[node] = s
	case r.named != nil && node != "":
		old, ok := r.named[node]
		if !ok || old != nodeAsked {
			return
		}
		r.named[node] = s
		if s == nodeRefused {
			r.Refusals++
		}
	case s == nodeRefused:
		r.Refusals++
	default:
		r.heard++
	}
}

// complete reports whether no node is waited for.
func (r *Roll) complete() bool {
	n, _ := r.Missing()
	return r.Known && n <= r.Refusals
}

// Missing returns the number of nodes that have not answered, including those that refused, and their known ids,
// sorted.
func (r *Roll) Missing() (n int, ids []string) {
	if r.named == nil {
		return max(r.count-r.heard, 0), nil
	}
	for id, s := range r.named {
		if s != nodeAnswered {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	// An answer without a name is that of one of them.
	return max(len(ids)-r.heard, 0), ids
}
