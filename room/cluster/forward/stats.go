package forward

import (
	"slices"
	"strings"
	"sync/atomic"
)

// failure is a reason for which a request was not passed on.
type failure int

const (
	// failedGone: the node has gone (400). The others are 503.
	failedGone failure = iota
	failedStalled
	failedFull
	failedDial
	failedBroken
	failures
)

var failureNames = [failures]string{"gone", "stalled", "full", "dial", "broken"}

var failureTexts = [failures]string{
	failedStalled: "The session's node does not answer", failedDial: "The session's node cannot be reached",
	failedBroken: "The connection to the session's node was lost",
}

// The reasons for which a connection of another node is refused.
const (
	refusedMalformed = iota
	refusedProof
	refusedTime
	refusedReplayed
	refusedTimeout
	refusedFull
	refusedKinds
)

var refusals = [refusedKinds]error{errMalformed, errProof, errTime, errReplayed, errTimeout, nil}

var refusalNames = [refusedKinds]string{"malformed", "proof", "time", "replayed", "timeout", "full"}

// counters are those of a Node. Safe for concurrent use.
type counters struct {
	sent, received, gone, dials, links, sockets, losses, malformed atomic.Uint64
	answerBytes, upBytes, downBytes                                atomic.Uint64
	failed                                                         [failures]atomic.Uint64
	refused                                                        [refusedKinds]atomic.Uint64
}

func (c *counters) countUp(n int)   { c.upBytes.Add(uint64(n)) }
func (c *counters) countDown(n int) { c.downBytes.Add(uint64(n)) }

// Stats counts what a Node has done. Immutable.
type Stats struct {
	// Sent are the requests that were passed on, Received those of other nodes. Gone are those of Sent whose client has
	// left before the answer.
	Sent, Received, Gone uint64
	// Failed are requests that got no answer of their session's node, by reason: "gone" (they got 400), "stalled",
	// "full", "dial" and "broken" (they got 503).
	Failed map[string]uint64
	// Refused are the connections to the nodes' listener that were closed, by reason: "malformed", "proof", "time",
	// "replayed", "timeout" and "full".
	Refused map[string]uint64
	// Malformed are answers and requests of nodes that could not be read.
	Malformed uint64
	// Dials are the links that were asked for, Links those that were taken.
	Dials, Links uint64
	// WebSockets were spliced to other nodes.
	WebSockets uint64
	// AnswerBytes, UpBytes and DownBytes are the bytes of answers, of WebSockets to other nodes and of WebSockets to
	// clients.
	AnswerBytes, UpBytes, DownBytes uint64
	// Losses is how often a node was lost.
	Losses uint64
}

// Stats returns the counters. Safe for concurrent use.
func (n *Node) Stats() Stats {
	c := &n.stats
	s := Stats{
		Sent: c.sent.Load(), Received: c.received.Load(), Gone: c.gone.Load(), Malformed: c.malformed.Load(),
		Dials: c.dials.Load(), Links: c.links.Load(), WebSockets: c.sockets.Load(), Losses: c.losses.Load(),
		AnswerBytes: c.answerBytes.Load(), UpBytes: c.upBytes.Load(), DownBytes: c.downBytes.Load(),
		Failed: map[string]uint64{}, Refused: map[string]uint64{},
	}
	for i := range c.failed {
		s.Failed[failureNames[i]] = c.failed[i].Load()
	}
	for i := range c.refused {
		s.Refused[refusalNames[i]] = c.refused[i].Load()
	}
	return s
}

// Peer describes another node. Immutable.
type Peer struct {
	Address string
	State   State
	// Forwards are the requests under way to it, WebSockets those that are spliced to it.
	Forwards, WebSockets int
}

// Peers returns the other nodes that are known, by address. Safe for concurrent use.
func (n *Node) Peers() []Peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]Peer, 0, len(n.peers))
	for _, p := range n.peers {
		out = append(out, Peer{p.address, p.state(), int(p.forwards.Load()), int(p.sockets.Load())})
	}
	slices.SortFunc(out, func(a, b Peer) int { return strings.Compare(a.Address, b.Address) })
	return out
}
