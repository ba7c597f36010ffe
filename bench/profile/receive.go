package profile

import (
	"time"

	"github.com/seed58c87869/siren/bench/client"
	"github.com/seed58c87869/siren/bench/sequence"
)

// matching is how an event is recognised as a publication.
type matching uint8

const (
	byMark     matching = iota // a mark stands somewhere in it
	bySequence                 // its number stands at a place of it
	byCount                    // it is not; events are counted, and those for their sender come in order
)

// matching returns how events are recognised.
func (p *Profile) matching() matching {
	switch {
	case p.sends(placeMark):
		return byMark
	case p.Expect != nil && p.Expect.sequence != nil:
		return bySequence
	}
	return byCount
}

// event handles an event, on the goroutine of the session.
func (u *user) event(e *client.Event) {
	p := u.run.p
	if p.Join != nil && p.Join.WaitFor == string(e.Name) {
		select {
		case u.joined <- nil:
		default:
		}
	}
	if p.Expect == nil || p.Expect.Event != string(e.Name) {
		return
	}
	n, ours, ok := u.run.identify(e)
	u.shard.mu.Lock()
	defer u.shard.mu.Unlock()
	switch {
	case !ok:
		u.shard.faulty(e.Args)
	case ours && u.own != nil && u.run.matching == byCount:
		if n, ok := u.next(); ok {
			u.take(n, e)
		} else {
			u.shard.duplicate++
		}
	case ours:
		u.take(n, e)
	}
}

// next returns the oldest of the user's publications that has no event yet.
func (u *user) next() (n int, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.oldest) == 0 {
		return 0, false
	}
	n, u.oldest = u.oldest[0], u.oldest[1:]
	return n, true
}

// identify returns the number of the publication that an event carries. ours is false for one of another run, and ok
// for an event without a number.
func (r *run) identify(e *client.Event) (n int, ours, ok bool) {
	switch r.matching {
	case byMark:
		n, _, ok := findMark(e.Args, r.tag)
		if !ok {
			return 0, false, true // somebody else's, or an event that the server sent by itself
		}
		return n, true, true
	case bySequence:
		n, ok := r.p.Expect.sequence.number(e.Args)
		if r.p.Publish != nil && (n < 0 || int(n) >= r.book.size()) {
			return 0, false, false
		}
		return int(n), true, ok && n >= 0
	}
	return 0, true, true
}

// take counts an event. The shard is locked.
func (u *user) take(n int, e *client.Event) {
	r, s := u.run, u.shard
	var p publication
	known := r.p.Publish != nil && (r.matching != byCount || u.own != nil)
	if known {
		var ok bool
		if p, ok = r.book.get(n); !ok {
			s.faulty(e.Args)
			return
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch fresh := u.place(n, p, known); {
	case !fresh:
		return
	case known:
		s.delivery.add(e.At.Sub(r.begun) - p.due)
	case r.p.Expect.time != nil:
		if sent, ok := r.p.Expect.time.number(e.Args); ok {
			s.delivery.add(time.Duration(e.At.UnixNano() - sent*int64(timeUnits[r.p.Expect.TimeUnit])))
		} else {
			s.faulty(e.Args)
		}
	}
	s.delivered++
	u.got++
}

// place judges the order of an event. It returns false if the event counts no further. Shard and user are locked.
func (u *user) place(n int, p publication, known bool) bool {
	r, s := u.run, u.shard
	switch {
	case r.matching == byCount && u.own == nil:
		return u.state == ready
	case u.own != nil:
		if int(p.sender) != u.number {
			s.faulty([]byte("an event for another user"))
			return false
		}
		if u.own[n]++; u.own[n] > 1 {
			s.duplicate++
			return false
		}
		return true
	case known && (u.state != ready || n < u.first):
		return false // it was on its way when the user came
	case !known && !u.started:
		u.started = true
		u.seen = sequence.From(n)
	}
	verdict := u.seen.Take(n)
	if verdict == sequence.Duplicated {
		s.duplicate++
		return false
	}
	if !known {
		if verdict == sequence.Reordered {
			s.reordered++
		}
		return true
	}
	u.ordered(n, p)
	return true
}

// ordered counts a publication that came after a later one of the same sender. Requests by HTTP have an order if they
// are made one by one.
func (u *user) ordered(n int, p publication) {
	if p.sender == nobody && u.run.p.Publish.HTTP.InFlight > 1 {
		return
	}
	if u.latest == nil {
		u.latest = make(map[int32]int)
	}
	if latest, ok := u.latest[p.sender]; ok && n < latest {
		u.shard.reordered++
		return
	}
	u.latest[p.sender] = n
}

// complete reports whether the user has all that it is to get. It stops at the first publication that has not come.
func (u *user) complete() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.missing(1) == 0
}

// missing returns how many publications have not come, at most a number. The user is locked.
func (u *user) missing(most int) (n int) {
	r := u.run
	if r.p.Expect == nil || !u.begun {
		return 0
	}
	last := u.last
	if !u.finished {
		last = r.book.size()
	}
	switch {
	case r.p.Publish == nil:
		skipped, _ := u.seen.Absent(u.seen.Next())
		return min(skipped, most)
	case r.matching == byCount && u.own == nil:
		return min(max(r.book.expected(u.first, last, u.number, r.p.Expect.To)-u.got, 0), most)
	case u.own != nil:
		return min(max(r.book.expected(u.first, last, u.number, toSender)-len(u.own), 0), most)
	}
	r.book.mu.RLock()
	defer r.book.mu.RUnlock()
	u.seen.Holes(last, func(i int) bool {
		if r.book.list[i].isFor(u.number, r.p.Expect.To) {
			n++
		}
		return n < most
	})
	return n
}
