package collect

import (
	"fmt"
	"strings"
)

// MissingError tells that not all answers came which were asked for; those that came were handed over. errors.Is
// finds its Cause. Immutable.
type MissingError struct {
	// Clients is the number of clients that were asked and did not answer, those that left before they answered
	// included.
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

// Unwrap returns the cause.
func (e *MissingError) Unwrap() error { return e.Cause }
