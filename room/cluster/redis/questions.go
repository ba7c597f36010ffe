package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// question is a question of this node to the others. Its table guards it.
type question struct {
	kind  cluster.Kind
	space *space
	// expected is how many nodes have to answer; negative while that is not known. heard have answered.
	expected, heard int
	// until is when nobody waits for answers any longer.
	until time.Time
	// short is how often in a row fewer nodes than expected were there, and all of these had answered.
	short int
}

// questions are those that wait for answers. Answers of the classic format do not tell their kind, nor who sent them,
// and no node says goodbye; so the nodes are counted again while a question waits. Safe for concurrent use.
type questions struct {
	a *Adapter // immutable

	mu sync.Mutex // guards what follows
	// open has the questions by id.
	open map[string]*question
	// running is set while a goroutine counts nodes; there is one only while there are questions.
	running bool
}

const (
	// recountEvery is how often the nodes are counted while a question waits.
	recountEvery = 500 * time.Millisecond
	// shortMax is how often in a row nodes must be missing before their answers are given up.
	shortMax = 2
	// gatherMax is how long a question without a time-out is kept: servers wait for 5 seconds by default.
	gatherMax = time.Minute
)

// add notes a question before it is published.
func (q *questions) add(sp *space, m *cluster.Message) error {
	now := time.Now()
	until := now.Add(gatherMax)
	expected := sp.lastCount()
	if m.Kind == cluster.Broadcast {
		expected = -1 // the nodes are counted behind it
		until = now.Add(max(m.Target.Timeout, gatherMax))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.open) >= q.a.cfg.MaxQuestions {
		return fmt.Errorf("%w: %d questions wait for answers", cluster.ErrFull, len(q.open))
	}
	q.open[m.Request] = &question{kind: m.Kind, space: sp, expected: expected, until: until}
	if !q.running {
		q.running = true
		go q.run()
	}
	return nil
}

// counted notes how many nodes have to answer the questions about a namespace for which that was not known.
func (q *questions) counted(sp *space, others int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, x := range q.open {
		if x.space == sp && x.expected < 0 {
			x.expected = others
		}
	}
}

// forget drops a question.
func (q *questions) forget(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, id)
}

// waits reports whether a question waits for answers.
func (q *questions) waits(sp *space, id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	x := q.open[id]
	return x != nil && x.space == sp
}

// answered notes an answer and returns the kind of its question; 0 if nobody waits for it.
func (q *questions) answered(sp *space, id string) cluster.Kind {
	q.mu.Lock()
	defer q.mu.Unlock()
	x := q.open[id]
	if x == nil || x.space != sp {
		return 0
	}
	x.heard++
	x.short = 0
	if x.expected >= 0 && x.heard >= x.expected {
		delete(q.open, id)
	}
	return x.kind
}

// run counts the nodes again and again, until no question waits.
func (q *questions) run() {
	tick := time.NewTicker(recountEvery)
	defer tick.Stop()
	for {
		select {
		case <-q.a.ctx.Done():
			return
		case now := <-tick.C:
			spaces := q.waiting(now)
			if spaces == nil {
				return
			}
			for sp := range spaces {
				q.recount(sp)
			}
		}
	}
}

// waiting drops questions that are too old and returns the namespaces of the others; nil, and no goroutine is running
// then, if there are none.
func (q *questions) waiting(now time.Time) map[*space]bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out map[*space]bool
	for id, x := range q.open {
		if now.After(x.until) {
			delete(q.open, id)
			continue
		}
		if out == nil {
			out = map[*space]bool{}
		}
		out[x.space] = true
	}
	q.running = out != nil
	return out
}

// recount counts the nodes of a namespace. Those that are missing do not answer any more: if all that are there have
// answered a question, the server hears that the others have not taken it.
func (q *questions) recount(sp *space) {
	ctx, cancel := context.WithTimeout(q.a.ctx, recountEvery)
	defer cancel()
	others, err := q.a.count(ctx, sp)
	if err != nil {
		return
	}
	missing := map[string]int{}
	q.mu.Lock()
	for id, x := range q.open {
		if x.space != sp || x.expected < 0 {
			continue
		}
		if x.expected <= others || x.heard < others {
			x.short = 0
			continue
		}
		if x.short++; x.short >= shortMax {
			missing[id] = x.expected - x.heard
			delete(q.open, id)
		}
	}
	q.mu.Unlock()
	for id, n := range missing {
		for range n {
			sp.receive(&cluster.Message{Kind: cluster.Refused, Namespace: sp.name, Request: id})
		}
	}
}
