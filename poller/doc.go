// Package poller is the event-loop core: it owns the sockets, the loops, the timers and every write. It is the only
// package that imports gnet.
//
// An [Engine] listens and runs one [Loop] per core. A loop owns its connections ([Conn]), a timing wheel, its free lists
// and a mailbox. Whoever wants something of a loop posts a [Task] to it; a loop-owned value is touched by nothing else,
// so it has no lock.
//
// # Entries
//
// User code runs on a loop from five entries: Config.Accept, Receiver.Receive, Receiver.Closed, Task.Run and timer
// expiry. No entry is ever called from inside another one: what Close, Resume and the like cause runs when
// the current entry has returned, before the loop does anything else. A panic in an entry is recovered, logged and
// counted; a connection whose Receiver panics is closed with ErrPanic. A task or a timer that belongs to a connection must
// close it itself, in a deferred function that lets the panic go on: the loop does not know which one that is.
//
// # Writing
//
// Queue appends an immutable frame to the connection's queue and links the connection into the loop's dirty list; it
// never writes. A connection that received something is flushed when its Receive has returned, so that replies to a
// pipeline leave in one write. All others are flushed when the mailbox is drained, in slices (Config.FlushSlice,
// Config.FlushTime) with socket I/O between them; what is queued meanwhile joins the next write.
//
// gnet accepts, reads and closes; the engine writes to the descriptors itself, because gnet copies what the kernel does not
// take and tells nobody when that has left. When the kernel's buffer is full, the queue keeps the rest by reference, and a
// set of descriptors of the engine's own tells the loop when the kernel takes more. What connections do with their bytes,
// and how they end, is in package stream.
//
// gnet closes a connection at its peer's FIN. A peer that shuts its sending side down and waits for answers does not get
// them; those that were queued already are counted (Stats.Abandoned).
//
// # Mailbox
//
// Posts of one goroutine to one loop run in order, whatever their number. A turn runs at most Config.DrainItems
// tasks or Config.DrainTime; the rest is armed again from another goroutine, so that a flood of posts cannot
// starve sockets. A loop that gnet has not shown yet (it shows one with its first connection) is driven by the engine's
// own goroutine until then, so posts and timers work on all loops from Start on.
//
// # File descriptors
//
// Connections over Config.MaxConns get Config.Reject. The listen queues get shorter as descriptors run low. When descriptors run low all the same, because the acceptor runs
// ahead of busy loops, the listeners drop packets for a moment; and should accept find no descriptor at all, the
// engine goes on where gnet alone would end (this replaces gnet's ErrAcceptSocket for the whole process).
// With Config.PrivateFiles, an experiment for tests on Linux, each loop has a table of descriptors of its own, and the cap on
// connections holds for each.
//
// # Example
//
//	engine, err := poller.New(poller.Config{
//		Addrs: []string{"tcp://127.0.0.1:0"},
//		Accept: func(c *poller.Conn) poller.Receiver { return &echo{c} },
//	})
//	if err != nil { ... }
//	if err := engine.Start(); err != nil { ... }
//	defer engine.Stop(context.Background())
//
//	type echo struct{ conn *poller.Conn }
//
//	func (e *echo) Receive(data []byte) (n, need int) {
//		e.conn.Queue(bytes.Clone(data)) // queued frames are immutable, data is not ours
//		return len(data), 0
//	}
//	func (e *echo) Closed(err error) {}
package poller
