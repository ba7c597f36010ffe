package bench

// failuresMax bounds the distinct reasons that are kept; the rest is "other".
const failuresMax = 16

// counts is what became of a worker's subscribers; loop-owned.
type counts struct {
	ready         int // reached the state ready, since the start
	connectFailed int // ended before
	lost          int // ended after
	receivers     int // take part in this burst
	complete      int // receivers that have every tick of this burst
	lostReceivers int // receivers that ended before they were complete
	upgraded      int
	upgradeFailed int
	stray         uint64 // messages outside of a burst
	failures      map[string]int
}

// failure notes the reason of one failed connection.
func (c *counts) failure(err error) {
	reason := err.Error()
	if _, known := c.failures[reason]; !known && len(c.failures) >= failuresMax {
		reason = "other"
	}
	c.failures[reason]++
}

// progress is a snapshot of a worker for the coordinator; a plain value.
type progress struct {
	subscribers   int
	ready         int
	connectFailed int
	receivers     int
	complete      int
	lostReceivers int
	upgraded      int
	upgradeFailed int
	delivered     uint64
}

// connected reports whether every subscriber is ready or failed.
func (p progress) connected() bool { return p.ready+p.connectFailed >= p.subscribers }

// delivering reports whether somebody still waits for a tick.
func (p progress) delivering() bool { return p.complete+p.lostReceivers < p.receivers }

// add sums the progress of several workers.
func (p progress) add(q progress) progress {
	p.subscribers += q.subscribers
	p.ready += q.ready
	p.connectFailed += q.connectFailed
	p.receivers += q.receivers
	p.complete += q.complete
	p.lostReceivers += q.lostReceivers
	p.upgraded += q.upgraded
	p.upgradeFailed += q.upgradeFailed
	p.delivered += q.delivered
	return p
}

// publishProgress ends one round of the loop, which began at begin: it shares
// the counts, notes how long the round kept others waiting, and wakes the
// coordinator when something it may wait for has happened.
func (w *worker) publishProgress(begin int64) {
	if w.tally.active {
		w.tally.round(w.clock.now()-begin, w.blocked)
	}
	p := progress{
		subscribers:   len(w.subs),
		ready:         w.counts.ready,
		connectFailed: w.counts.connectFailed,
		receivers:     w.counts.receivers,
		complete:      w.counts.complete,
		lostReceivers: w.counts.lostReceivers,
		upgraded:      w.counts.upgraded,
		upgradeFailed: w.counts.upgradeFailed,
		delivered:     w.tally.delivered,
	}
	w.shared.Lock()
	old := w.shared.progress
	w.shared.progress = p
	w.shared.Unlock()
	settled := old.connected() != p.connected() || old.delivering() != p.delivering()
	if settled || old.upgraded+old.upgradeFailed != p.upgraded+p.upgradeFailed {
		w.notify()
	}
}

// current returns the last published progress; safe for concurrent use.
func (w *worker) current() progress {
	w.shared.Lock()
	defer w.shared.Unlock()
	return w.shared.progress
}
