package bench

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// echoIDBase is the first acknowledgement id. All ids have the same number of
// digits, so that all requests have the same size.
const echoIDBase = 100_000_000

// echoIDSpan is the number of requests after which the ids repeat.
const echoIDSpan = 9 * echoIDBase

// Parts of an echo, which the load profile acknowledges with its argument.
const (
	echoRequestHead = "42"        // the acknowledgement id follows
	echoRequestBody = `["echo","` // the text follows
	echoAnswerBody  = `["`        // behind 3 and the id; the text follows
	echoEnd         = `"]`
)

// echoPlan is a load of echoes; a plain value that travels between processes.
type echoPlan struct {
	// Concurrency is the number of requests in flight, in a closed loop.
	Concurrency int `json:"concurrency,omitempty"`
	// Interval is the time between two requests of an open loop in ns, 0 for
	// a closed one.
	Interval int64 `json:"interval_ns,omitempty"`
	// Until is the clock time of the last request.
	Until int64 `json:"until"`
	Size  int   `json:"size"`
	// Once requests a single echo of each session, whatever the other fields are.
	Once bool `json:"once,omitempty"`
}

// echoRequest is a request without an answer: its acknowledgement id, and the
// time at which it was to be sent.
type echoRequest struct {
	id int
	at int64
}

// echoLoad sends echoes on the sessions of one worker; loop-owned, the zero
// value is idle.
type echoLoad struct {
	plan        echoPlan
	sessions    []*subscriber
	tally       *tally
	request     []byte // its beginning, and room for the id
	body        []byte // of the request, behind the id
	answer      []byte // behind the id
	next        int    // session of the next request
	id          int
	nextAt      int64 // intended time of the next request of an open loop
	outstanding int
	active      bool // requests are still going to be sent
}

// begin starts a load on the open sessions, as part of a window that has begun.
func (e *echoLoad) begin(p echoPlan, w *worker, now int64) {
	*e = echoLoad{plan: p, tally: &w.tally, id: e.id, nextAt: now, active: true}
	body, answer := w.cfg.Vocabulary.echo(strings.Repeat("x", p.Size))
	e.body, e.answer = []byte(body), []byte(answer)
	for _, s := range w.subs {
		if s.phase == phaseReady && !s.publisher {
			e.sessions = append(e.sessions, s)
		}
	}
	switch {
	case p.Once:
		e.active = false
		for _, s := range e.sessions {
			e.ask(s, now)
		}
	case p.Interval == 0:
		for range p.Concurrency {
			e.askNext(now)
		}
		e.active = e.outstanding > 0
	}
}

// unfinished returns the number of requests that the load still waits for.
func (e *echoLoad) unfinished() int {
	if e.active {
		return e.outstanding + 1
	}
	return e.outstanding
}

// due returns the time until the next request of an open loop, or until the end of
// a closed one.
func (e *echoLoad) due(now int64) (wait time.Duration, ok bool) {
	if !e.active {
		return 0, false
	}
	if e.plan.Interval == 0 {
		return time.Duration(max(0, e.plan.Until-now)), true
	}
	return time.Duration(max(0, e.nextAt-now)), true
}

// pace sends the requests of an open loop that are due. Each carries the time at which it was due, so that every delay,
// here or in the server, is part of the latency.
func (e *echoLoad) pace(now int64) {
	if !e.active {
		return
	}
	if e.plan.Interval > 0 {
		for e.nextAt <= now && e.nextAt < e.plan.Until {
			if !e.askNext(e.nextAt) {
				break
			}
			e.nextAt += e.plan.Interval
		}
		e.active = e.nextAt < e.plan.Until && e.standing()
		return
	}
	e.active = now < e.plan.Until && e.outstanding > 0
}

// standing reports whether any session is open.
func (e *echoLoad) standing() bool {
	return slices.ContainsFunc(e.sessions, func(s *subscriber) bool { return s.phase == phaseReady })
}

// askNext sends a request on the next open session. It returns false if there is none. A closed loop loads the sessions
// evenly, because a polling session with two requests would send both in one POST.
func (e *echoLoad) askNext(at int64) bool {
	even := (e.plan.Concurrency + len(e.sessions) - 1) / max(1, len(e.sessions))
	var full *subscriber
	for range e.sessions {
		s := e.sessions[e.next]
		e.next = (e.next + 1) % len(e.sessions)
		if s.phase != phaseReady {
			continue
		}
		if e.plan.Interval > 0 || len(s.asked) < even {
			e.ask(s, at)
			return true
		}
		full = s
	}
	if full != nil { // others were lost
		e.ask(full, at)
	}
	return full != nil
}

// ask sends one request.
func (e *echoLoad) ask(s *subscriber, at int64) {
	id := echoIDBase + e.id%echoIDSpan
	e.id++
	e.request = strconv.AppendInt(append(e.request[:0], echoRequestHead...), int64(id), 10)
	e.request = append(e.request, e.body...)
	s.asked = append(s.asked, echoRequest{id, at})
	e.outstanding++
	e.tally.expected++
	s.link.sendBytes(e.request)
}

// abandon gives up the requests of an ended session, which count as missing.
func (e *echoLoad) abandon(s *subscriber) {
	e.outstanding -= len(s.asked)
	s.asked = nil
}

// answered handles an acknowledgement.
func (s *subscriber) answered(p []byte, now int64) {
	e := &s.w.echo
	id, rest := ackID(p[1:])
	if s.w.duty.Raw {
		id = s.asked[0].id // a floor gives one answer to everything, in order
	}
	i := slices.IndexFunc(s.asked, func(r echoRequest) bool { return r.id == id })
	if i < 0 || !bytes.Equal(rest, e.answer) {
		s.w.tally.malformedPacket(p)
		return
	}
	at := s.asked[i].at
	s.asked = slices.Delete(s.asked, i, i+1)
	e.outstanding--
	if e.tally.counts(windowEchoes) {
		e.tally.deliver(at, now)
	}
	if e.active && e.plan.Interval == 0 {
		if now < e.plan.Until {
			e.askNext(now)
		} else {
			e.active = false
		}
	}
}

// ackID parses the decimal id. It returns -1 if there is none.
func ackID(p []byte) (id int, rest []byte) {
	n := 0
	for n < len(p) && p[n]-'0' <= 9 {
		n++
	}
	if n == 0 || n > len("900000000") {
		return -1, p
	}
	value, ok := digits(p[:n])
	if !ok {
		return -1, p
	}
	return int(value), p[n:]
}
