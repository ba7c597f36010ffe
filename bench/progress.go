package bench

// failuresMax bounds the number of distinct reasons; further ones are "other".
const failuresMax = 16

// counts counts the outcomes of a worker's subscribers; loop-owned.
type counts struct {
	ready         int // reached the state ready, since the start
	connectFailed int // ended before
	lost          int // ended after
	receivers     int // take part in this burst
	complete      int // receivers that have every tick of this burst
	lostReceivers int // receivers that ended before they were complete
	upgraded      int
	upgradeFailed int
	pings         int    // heartbeats answered
	slowCaughtUp  int    // slow sessions that got the last tick in the end
	slowLost      int    // slow sessions that ended
	slowTicks     uint64 // ticks that slow sessions got
	retried       int    // attempts that failed and were made again
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

// progress is a snapshot of a worker for the coordinator; a plain value, also sent between processes.
type progress struct {
	Subscribers   int    `json:"subscribers"`
	Ready         int    `json:"ready"`
	ConnectFailed int    `json:"connect_failed"`
	Lost          int    `json:"lost"`
	Receivers     int    `json:"receivers"`
	Complete      int    `json:"complete"`
	LostReceivers int    `json:"lost_receivers"`
	Upgraded      int    `json:"upgraded"`
	UpgradeFailed int    `json:"upgrade_failed"`
	Echoing       int    `json:"echoing"` // loops that still send, and requests without an answer
	Leaving       int    `json:"leaving"` // sessions that say good-bye
	Pings         int    `json:"pings"`
	SlowCaughtUp  int    `json:"slow_caught_up"`
	SlowLost      int    `json:"slow_lost"`
	SlowTicks     uint64 `json:"slow_ticks"`
	Delivered     uint64 `json:"delivered"`
}

// connected reports whether every subscriber is ready or failed.
func (p progress) connected() bool { return p.Ready+p.ConnectFailed >= p.Subscribers }

// delivering reports whether a subscriber still waits for a tick.
func (p progress) delivering() bool { return p.Complete+p.LostReceivers < p.Receivers }

// upgradesSettled returns the number of upgrades that have ended.
func (p progress) upgradesSettled() int { return p.Upgraded + p.UpgradeFailed }

// add sums the progress of several workers.
func (p progress) add(q progress) progress {
	p.Subscribers += q.Subscribers
	p.Ready += q.Ready
	p.ConnectFailed += q.ConnectFailed
	p.Lost += q.Lost
	p.Receivers += q.Receivers
	p.Complete += q.Complete
	p.LostReceivers += q.LostReceivers
	p.Upgraded += q.Upgraded
	p.UpgradeFailed += q.UpgradeFailed
	p.Echoing += q.Echoing
	p.Leaving += q.Leaving
	p.Pings += q.Pings
	p.SlowCaughtUp += q.SlowCaughtUp
	p.SlowLost += q.SlowLost
	p.SlowTicks += q.SlowTicks
	p.Delivered += q.Delivered
	return p
}

// publishProgress ends one round of the loop, which began at begin. It publishes the counts, notes the length of the
// round, and wakes the coordinator when something happened that it may wait for.
func (w *worker) publishProgress(begin int64) {
	if w.tally.active {
		w.tally.round(w.clock.now()-begin, w.blocked)
	}
	c := &w.counts
	p := progress{
		Subscribers: len(w.subs), Ready: c.ready, ConnectFailed: c.connectFailed, Lost: c.lost,
		Receivers: c.receivers, Complete: c.complete, LostReceivers: c.lostReceivers,
		Upgraded: c.upgraded, UpgradeFailed: c.upgradeFailed,
		Echoing: w.echo.unfinished() + w.game.unfinished(), Leaving: w.leaving, Pings: c.pings,
		SlowCaughtUp: c.slowCaughtUp, SlowLost: c.slowLost, SlowTicks: c.slowTicks,
		Delivered: w.tally.delivered,
	}
	w.shared.Lock()
	old := w.shared.progress
	w.shared.progress = p
	w.shared.Unlock()
	settled := old.connected() != p.connected() || old.delivering() != p.delivering() ||
		old.upgradesSettled() != p.upgradesSettled()
	if settled || (p.Echoing == 0) != (old.Echoing == 0) || (p.Leaving == 0) != (old.Leaving == 0) {
		w.notify()
	}
}

// current returns the last published progress; safe for concurrent use.
func (w *worker) current() progress {
	w.shared.Lock()
	defer w.shared.Unlock()
	return w.shared.progress
}
