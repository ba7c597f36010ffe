package server

import (
	"slices"

	"github.com/seed58c87869/siren/room/cluster"
)

// others are the other nodes as parties of a collector, whose mutex guards them.
type others struct {
	roll
	// request is the id of the question in the cluster; "" before it has one.
	request string
	// expected clients of other nodes were asked; owed tells of each node how many of them have not answered.
	expected, answered int
	owed               map[string]int
	lost               int
	// trouble is why the other nodes may not have got the question.
	trouble error
}

// complete reports whether no node and none of its clients is waited for.
func (o *others) complete() bool { return o.roll.complete() && o.answered+o.lost >= o.expected }

// asked notes that a node has asked n clients.
func (o *others) asked(node string, n int) {
	o.expected += n
	o.owe(node, n)
	o.roll.answered(node)
}

// acknowledged notes the acknowledgement of a client of a node. It may come before the number of those that were asked.
func (o *others) acknowledged(node string) {
	o.answered++
	o.owe(node, -1)
}

func (o *others) owe(node string, n int) {
	if node == "" {
		return // nobody will tell that it has gone
	}
	if o.owed == nil {
		o.owed = map[string]int{}
	}
	o.owed[node] += n
}

// gone notes that a node has left: it does not answer, and neither do its clients.
func (o *others) gone(node string) {
	o.lost += max(o.owed[node], 0)
	delete(o.owed, node)
	o.roll.answered(node)
}

// nodeState is what has come of a node that was asked.
type nodeState uint8

const (
	nodeAsked    nodeState = iota
	nodeAnswered           // or it has left
	nodeRefused            // it could not take the question
)

// roll tells which of the other nodes have answered. The zero value expects an unknown number of them.
type roll struct {
	known bool
	// count is the number of nodes, named those whose ids are known.
	count int
	named map[string]nodeState
	// early are the nodes that were heard of before it was known who is asked.
	early map[string]nodeState
	// heard counts the answers without a known sender, refusals the nodes that refused the question.
	heard, refusals int
}

// expect says who is asked. It is called once.
func (r *roll) expect(p cluster.Peers) {
	r.known, r.count = true, p.Count
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

// answered notes a node that has answered, or will not because it has left.
func (r *roll) answered(node string) { r.note(node, nodeAnswered) }

// refused notes a node that could not take the question.
func (r *roll) refused(node string) { r.note(node, nodeRefused) }

func (r *roll) note(node string, s nodeState) {
	switch {
	case !r.known && node != "":
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
			r.refusals++
		}
	case s == nodeRefused:
		r.refusals++
	default:
		r.heard++
	}
}

// complete reports whether no node is waited for.
func (r *roll) complete() bool {
	n, _ := r.missing()
	return r.known && n <= r.refusals
}

// missing are the nodes that have not answered, those that refused included. The ids are sorted.
func (r *roll) missing() (n int, ids []string) {
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
