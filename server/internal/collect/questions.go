package collect

import (
	"crypto/rand"
	"encoding/hex"
	"sync"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/peers"
)

// Question is a question to other nodes. Safe for concurrent use.
type Question interface {
	// Response handles an answer. An error means that it is invalid.
	Response(m *cluster.Message) error
	// NodeGone notes that a node has left, NodeRefused that a node could not take the question.
	NodeGone(node string)
	NodeRefused(node string)
}

// Questions has the pending questions of a node to others, by id, and those of other nodes whose acknowledgements this
// one collects. A question is about a namespace, which is any comparable value here. Safe for concurrent use.
type Questions struct {
	mu sync.Mutex // guards what follows
	// asked has the questions to other nodes.
	asked map[string]asked
	// foreign has the questions of other nodes.
	foreign map[Foreign]*Wait
}

type asked struct {
	question Question
	about    any
}

// Foreign identifies a question of another node. Immutable.
type Foreign struct {
	About         any
	Node, Request string
}

// requestBytes is the length of a question's id before it is text, as in the reference.
const requestBytes = 8

// NewRequest returns a new id for a question in the cluster.
func NewRequest() string {
	var b [requestBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Ask stores a question under its id until Forget.
func (t *Questions) Ask(id string, q Question, about any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked == nil {
		t.asked = map[string]asked{}
	}
	t.asked[id] = asked{q, about}
}

// Forget removes a question, if it is there.
func (t *Questions) Forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.asked, id)
}

// Response passes an answer of another node to its question. It ignores an answer to a question that is over, and other
// kinds of messages. An error means that the answer is invalid.
func (t *Questions) Response(m *cluster.Message) error {
	t.mu.Lock()
	q := t.asked[m.Request].question
	t.mu.Unlock()
	if q == nil {
		return nil
	}
	switch m.Kind {
	case cluster.Refused:
		q.NodeRefused(m.From)
	case cluster.FetchSocketsResponse, cluster.ServerSideResponse, cluster.ClientCount, cluster.BroadcastAck,
		cluster.CountResponse:
		return q.Response(m)
	}
	return nil
}

// Gone tells the questions about a namespace that a node has left it, and ends that node's own.
func (t *Questions) Gone(about any, node string) {
	t.mu.Lock()
	var all []Question
	for _, a := range t.asked {
		if a.about == about {
			all = append(all, a.question)
		}
	}
	t.mu.Unlock()
	for _, q := range all {
		q.NodeGone(node)
	}
	t.abandon(func(f Foreign) bool { return f.About == about && f.Node == node })
}

// Take stores the wait that a question of another node has begun here, until Done.
func (t *Questions) Take(f Foreign, w *Wait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.foreign == nil {
		t.foreign = map[Foreign]*Wait{}
	}
	t.foreign[f] = w
}

// Done removes a wait that Take has stored, if it is there.
func (t *Questions) Done(f Foreign, w *Wait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.foreign[f] == w {
		delete(t.foreign, f)
	}
}

// Abandon ends the wait for another node that does not want the answers any more.
func (t *Questions) Abandon(f Foreign) { t.abandon(func(x Foreign) bool { return x == f }) }

func (t *Questions) abandon(gone func(f Foreign) bool) {
	t.mu.Lock()
	var all []*Wait
	for f, w := range t.foreign {
		if gone(f) {
			all = append(all, w)
		}
	}
	t.mu.Unlock()
	for _, w := range all {
		w.Finish(ErrAbandoned, OffLoop)
	}
}

// Len returns the number of questions to other nodes, and of theirs.
func (t *Questions) Len() (asked, foreign int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.asked), len(t.foreign)
}

// Gather is a question that each of the other nodes answers once. Safe for concurrent use.
type Gather struct {
	Wait
	questions *Questions
	answers   []*cluster.Message // guarded by the lock
}

// NewGather returns a question to the other nodes p that has not begun, and its id. The caller blocks in Await. home is
// the index of the loop that gets the timer.
func NewGather(of *Waits, home int, questions *Questions, p cluster.Peers, about any) (g *Gather, id string) {
	g = &Gather{questions: questions}
	g.Init(of, g, home)
	g.Blocks()
	g.Partial = true
	g.Others = &peers.Others{Request: NewRequest()}
	g.Others.Expect(p)
	questions.Ask(g.Others.Request, g, about)
	return g, g.Others.Request
}

// Answers returns the answers that arrived, when the wait is over.
func (g *Gather) Answers() []*cluster.Message { return g.answers }

// Response implements Question.
func (g *Gather) Response(m *cluster.Message) error {
	g.Lock()
	if !g.Ended() {
		g.answers = append(g.answers, m)
	}
	g.Others.Roll.Answered(m.From)
	g.Settle(OffLoop)
	return nil
}

// Answered implements Inquiry: no client is asked.
func (g *Gather) Answered(Answer, int) {}

// Left implements Inquiry.
func (g *Gather) Left(int) {}

// Release implements Inquiry.
func (g *Gather) Release(error) { g.questions.Forget(g.Others.Request) }

// Collected implements Inquiry: Await returns.
func (g *Gather) Collected() {}
