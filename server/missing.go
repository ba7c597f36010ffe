package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/room/cluster"
)

// MissingError tells that not all answers came which were asked for; those that came were handed over. errors.Is
// finds its Cause. Immutable.
type MissingError struct {
	// Clients is the number of clients that were asked and did not answer, those that left before they answered included.
	Clients int
	// Nodes is the number of other nodes that did not answer, NodeIDs their ids as far as the adapter knows them. How
	// many clients a broadcast asked there is not known.
	Nodes   int
	NodeIDs []string
	// Cause is why they were not waited for: ErrTimeout, the cause of a context, or ErrClosed when everybody
	// who could still answer was gone.
	Cause error
}

// Error implements error.
func (e *MissingError) Error() string {
	var who []string
	if e.Clients > 0 {
		who = append(who, fmt.Sprintf("%d clients", e.Clients))
	}
	if e.Nodes > 0 {
		n := fmt.Sprintf("%d nodes", e.Nodes)
		if len(e.NodeIDs) > 0 {
			n += " (" + strings.Join(e.NodeIDs, ", ") + ")"
		}
		who = append(who, n)
	}
	return fmt.Sprintf("siren: no answer of %s: %v", strings.Join(who, " and "), e.Cause)
}

// Unwrap is the cause.
func (e *MissingError) Unwrap() error { return e.Cause }

// roll tells which of the other nodes have answered. Its owner guards it. The zero value expects an unknown number.
type roll struct {
	known bool
	// count is how many nodes there are, named those of them that are known by their ids, with what has come of them.
	count int
	named map[string]bool
	// heard counts the answers that came without a name, or before the names were known.
	heard int
	early map[string]bool
}

// expect tells who is to answer. Called once.
func (r *roll) expect(p cluster.Peers) {
	r.known, r.count = true, p.Count
	if len(p.Nodes) == 0 {
		r.heard += len(r.early)
		return
	}
	r.named = make(map[string]bool, len(p.Nodes))
	for _, id := range p.Nodes {
		r.named[id] = r.early[id]
	}
}

// answered notes a node that has answered, or will not because it has gone.
func (r *roll) answered(node string) {
	switch {
	case r.named != nil && node != "":
		if _, ok := r.named[node]; ok {
			r.named[node] = true
		}
	case r.known || node == "":
		r.heard++
	default:
		if r.early == nil {
			r.early = map[string]bool{}
		}
		r.early[node] = true
	}
}

// complete reports whether nobody is to be waited for.
func (r *roll) complete() bool {
	n, _ := r.missing()
	return r.known && n == 0
}

// missing are the nodes that have not answered, sorted.
func (r *roll) missing() (n int, ids []string) {
	if r.named == nil {
		return max(r.count-r.heard, 0), nil
	}
	for id, answered := range r.named {
		if !answered {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	// An answer without a name is of one of them.
	return max(len(ids)-r.heard, 0), ids
}
