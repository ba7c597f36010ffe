package nats

import (
	"context"
	"maps"
	"slices"
	"time"
)

// letter is news for all nodes, or for one.
type letter struct {
	to string
	news
}

// letters returns what is to be told now; beat asks for a sign of life.
func (p *presence) letters(beat bool, now time.Time) (out []letter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hello || len(p.added)+len(p.gone) > 0 {
		p.version++
	}
	add := func(to string, v verb, number uint64, namespaces, gone map[string]struct{}) {
		out = append(out, letter{to, news{
			v, p.node, p.began, number, slices.Collect(maps.Keys(namespaces)), slices.Collect(maps.Keys(gone)),
		}})
	}
	switch {
	case p.hello:
		add("", verbHello, p.version, p.own, nil)
	case len(p.added)+len(p.gone) > 0:
		add("", verbChange, p.version, p.added, p.gone)
	case beat:
		add("", verbBeat, p.version, nil, nil)
	}
	p.hello = false
	clear(p.added)
	clear(p.gone)
	for id := range p.answers {
		m := p.others[id]
		if m != nil && now.Sub(m.told) < tellEvery {
			continue // at the next beat
		}
		delete(p.answers, id)
		if m != nil {
			m.told = now
			add(id, verbList, p.version, p.own, nil)
		}
	}
	for id := range p.asks {
		add(id, verbHello, p.version, p.own, nil)
	}
	clear(p.asks)
	for id, number := range p.synced {
		add(id, verbSynced, number, nil, nil)
	}
	clear(p.synced)
	if p.sync != nil && !p.sync.told {
		p.sync.told = true
		add("", verbSync, p.sync.number, nil, nil)
	}
	return out
}

// syncing is a question to all other nodes. The presence guards it.
type syncing struct {
	number  uint64
	told    bool
	waiting map[string]struct{}
	done    chan struct{}
}

// reach waits until all known nodes have answered something that was sent after this node's subscriptions, or until ctx
// ends. A broker of several servers passes subscriptions on from one to the next, in front of later messages: what
// these nodes publish from then on reaches this one. One caller at a time.
func (p *presence) reach(ctx context.Context) {
	p.mu.Lock()
	if len(p.others) == 0 {
		p.mu.Unlock()
		return
	}
	p.syncs++
	s := &syncing{number: p.syncs, waiting: map[string]struct{}{}, done: make(chan struct{})}
	for id := range p.others {
		s.waiting[id] = struct{}{}
	}
	p.sync = s
	p.signal()
	p.mu.Unlock()
	select {
	case <-s.done:
	case <-ctx.Done():
	}
}

// answered notes that a node has answered a question, or that it has gone. Called with the lock held.
func (p *presence) answered(node string, number uint64, gone bool) {
	s := p.sync
	if s == nil || !gone && number != s.number {
		return
	}
	if delete(s.waiting, node); len(s.waiting) == 0 {
		p.sync = nil
		close(s.done)
	}
}
