package tally

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/session"
)

// LoopStats has the counters of one event loop, since its start. Immutable.
type LoopStats struct {
	// Loop is its index.
	Loop int
	// Lag is the time from posting a task to running it: the time that the loop was busy with others. A loop that has
	// not run the task yet is behind by at least that much, and its other numbers are older.
	Lag time.Duration
	// Mailbox is the number of tasks that wait now, Conns that of its connections, Polling and WebSockets those of its
	// sessions by their transport.
	Mailbox, Conns, Polling, WebSockets int
	// QueueBytes is what waits now for its clients: in the queues of its connections, and of its polling sessions.
	QueueBytes int
	// ReceivedPackets and SentPackets count Engine.IO packets of sessions that began here, ReceivedBytes and SentBytes
	// what its connections read and wrote.
	ReceivedPackets, SentPackets, ReceivedBytes, SentBytes uint64
	// Broadcasts counts events to many sockets, each on one of the loops that delivered it. Connects and Disconnects
	// count sockets that were connected to their namespace, and that ended afterwards; Ended has the latter by reason.
	Broadcasts, Connects, Disconnects uint64
	Ended                             session.ReasonCounts
	// AckTimeouts counts acknowledgements that did not come in time.
	AckTimeouts uint64
	// Recipients has the numbers of sockets of this node that broadcasts were posted for, as Emit returns them.
	Recipients Histogram
	// Lags has the lags that Server.WatchLag measured, in seconds.
	Lags Histogram
}

// Task is a message to an event loop.
type Task = interface{ Run(loop int) }

// probe asks the loops for their numbers. Safe for concurrent use.
type probe struct {
	t       *Tally
	begun   time.Time
	traffic func(loop int) session.Traffic
	// answered gets the index of each loop that has run the probe; it has room for all of them.
	answered chan int
}

// Run implements Task.
func (p *probe) Run(loop int) {
	l, t := &p.t.loops[loop], p.traffic(loop)
	s := &LoopStats{
		Loop: loop, Lag: time.Since(p.begun), Connects: l.connects, Ended: l.ended,
		ReceivedPackets: t.Received, SentPackets: t.Sent, QueueBytes: t.Queued,
		Polling: t.Sessions - t.WebSockets, WebSockets: t.WebSockets,
		Recipients: l.recipients.histogram(recipientScale), Lags: l.lags.histogram(lagScale),
	}
	s.Broadcasts = s.Recipients.Count()
	for _, n := range l.ended {
		s.Disconnects += n
	}
	l.probed.Store(s)
	p.answered <- loop
}

// Probe returns the numbers of all loops, in their order: those of now from loops that answer until ctx ends or done is
// closed, or else their latest ones. It does not wait unless wait is set. post posts a task to a loop, and traffic
// returns what a loop's sessions have received and sent, on that loop. The fields that no session and no socket of the
// server counts are left empty. Safe for concurrent use.
func (t *Tally) Probe(
	ctx context.Context, post func(loop int, t Task), traffic func(loop int) session.Traffic, wait bool, done <-chan struct{},
) []LoopStats {
	all := make([]LoopStats, len(t.loops))
	p := &probe{t: t, begun: time.Now(), traffic: traffic, answered: make(chan int, len(all))}
	late := make([]bool, len(all))
	for i := range all {
		late[i] = true
		post(i, p)
	}
	for waiting := len(all); wait && waiting > 0; waiting-- {
		select {
		case loop := <-p.answered:
			late[loop] = false
		case <-ctx.Done():
			wait = false
		case <-done:
			wait = false
		}
	}
	for i := range all {
		all[i] = LoopStats{Loop: i}
		if s := t.loops[i].probed.Load(); s != nil {
			all[i] = *s
		}
		if late[i] {
			all[i].Lag = max(time.Since(p.begun), all[i].Lag)
		}
		all[i].AckTimeouts = t.loops[i].ackTimeouts.Load()
	}
	return all
}
