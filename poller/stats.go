package poller

import "sync/atomic"

// Stats is a snapshot of the counters of an engine, summed over its loops, or of one loop. It is immutable. Counters
// only grow, except those described with "now".
type Stats struct {
	Conns          int64 // served now
	Accepted       int64 // got a receiver
	Rejected       int64 // over MaxConns, or while refusing
	GateShut       int64 // times that the listeners dropped packets because descriptors ran low (engine only)
	Panics         int64 // recovered in entries
	Reads          int64 // Receive entries from the socket
	BytesIn        int64
	Writes         int64 // system calls that write
	BytesOut       int64 // taken by the kernel
	Frames         int64 // accepted by Queue, of Conn and Remote
	Refused        int64 // frames that Queue refused because of QueueBytesMax
	FramesDropped  int64 // queued frames that went with a closed connection
	Blocked        int64 // connections waiting now for a peer that does not read
	WriteTimeouts  int64 // connections closed with ErrWriteTimeout
	FlushTimeouts  int64 // connections closed with ErrFlushTimeout
	Discarded      int64 // connections closed with ErrDiscarded
	Abandoned      int64 // connections that the peer ended, or half-closed, while data waited for it
	Cut            int64 // connections that the engine ended, or had begun to end, with frames that were not sent
	FramesCut      int64 // these frames
	Posts          int64 // tasks run
	PostsRefused   int64 // TryPost over MailboxMax
	PostsDropped   int64 // posted after the end of the engine
	Turns          int64 // mailbox turns that worked
	TurnsDeferred  int64 // turns put off until sockets had their turn
	Pauses         int64 // waits for more work, see Config.GatherTime
	TimersFired    int64
	MailboxWaiting int64 // tasks waiting now
}

// counters belong to one loop. Only the loop writes those in the first block, so that its writes are never contended;
// everybody may read them.
type counters struct {
	conns, accepted, rejected, panics atomic.Int64
	reads, bytesIn                    atomic.Int64
	posts, turns, deferred, timers    atomic.Int64
	pauses                            atomic.Int64

	postsRefused, postsDropped atomic.Int64 // written by whoever posts
}

// Stats returns the counters of this loop. Safe for concurrent use.
func (l *Loop) Stats() Stats {
	c, s := &l.counters, &l.Counters
	return Stats{
		Conns: c.conns.Load(), Accepted: c.accepted.Load(), Rejected: c.rejected.Load(), Panics: c.panics.Load(),
		Reads: c.reads.Load(), BytesIn: c.bytesIn.Load(), Writes: s.Writes.Load(), BytesOut: s.BytesOut.Load(),
		Frames: s.Frames.Load(), Refused: s.Refused.Load(), FramesDropped: s.FramesDropped.Load(),
		Blocked: s.Blocked.Load(), WriteTimeouts: s.WriteTimeouts.Load(), FlushTimeouts: s.FlushTimeouts.Load(),
		Discarded: s.Discarded.Load(), Abandoned: s.Abandoned.Load(),
		Cut: s.Cut.Load(), FramesCut: s.FramesCut.Load(),
		Posts: c.posts.Load(), PostsRefused: c.postsRefused.Load(), PostsDropped: c.postsDropped.Load(),
		Turns: c.turns.Load(), TurnsDeferred: c.deferred.Load(), TimersFired: c.timers.Load(),
		Pauses:         c.pauses.Load(),
		MailboxWaiting: int64(l.mailbox.waiting()),
	}
}

// Stats returns the counters of all loops together. Safe for concurrent use.
func (e *Engine) Stats() Stats {
	var sum Stats
	for _, l := range e.loops {
		sum.add(l.Stats())
	}
	sum.GateShut = e.gate.shuts.Load()
	return sum
}

func (s *Stats) add(o Stats) {
	s.Conns += o.Conns
	s.Accepted += o.Accepted
	s.Rejected += o.Rejected
	s.Panics += o.Panics
	s.Reads += o.Reads
	s.BytesIn += o.BytesIn
	s.Writes += o.Writes
	s.BytesOut += o.BytesOut
	s.Frames += o.Frames
	s.Refused += o.Refused
	s.FramesDropped += o.FramesDropped
	s.Blocked += o.Blocked
	s.WriteTimeouts += o.WriteTimeouts
	s.FlushTimeouts += o.FlushTimeouts
	s.Discarded += o.Discarded
	s.Abandoned += o.Abandoned
	s.Cut += o.Cut
	s.FramesCut += o.FramesCut
	s.Posts += o.Posts
	s.PostsRefused += o.PostsRefused
	s.PostsDropped += o.PostsDropped
	s.Turns += o.Turns
	s.TurnsDeferred += o.TurnsDeferred
	s.Pauses += o.Pauses
	s.TimersFired += o.TimersFired
	s.MailboxWaiting += o.MailboxWaiting
}
