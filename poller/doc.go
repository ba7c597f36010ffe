// Package poller is the event-loop core. It owns the sockets, the loops, the timers and every write. No other package
// imports gnet.
//
// An [Engine] listens and runs one [Loop] per core. A loop owns its connections ([Conn]), a timing wheel, its free
// lists and a mailbox. Other goroutines post a [Task] to the loop; nothing else touches a loop-owned value, so it needs
// no lock.
//
// # Entries
//
// User code runs on a loop in five entries: Config.Accept, Receiver.Receive, Receiver.Closed, Task.Run and timer
// expiry. No entry is called from inside another one: the effects of Close, Resume and similar methods run when the
// current entry has returned, before the loop does anything else. A panic in an entry is recovered, logged and counted.
// A connection whose Receiver panics is closed with ErrPanic. The loop does not know the connection of a task or a
// timer: a task or timer must close its connection itself, in a deferred function that does not recover the panic.
//
// # Writing
//
// Queue appends an immutable frame to the connection's queue and adds the connection to the loop's dirty list; it never
// writes. A connection that received something is flushed when its Receive has returned, so that the replies to a
// pipeline are sent in one write. All others are flushed when the mailbox is drained, in slices (Config.FlushSlice,
// Config.FlushTime) with socket I/O between them; frames queued meanwhile join the next write.
//
// gnet accepts, reads and closes. The engine writes to the descriptors itself, because gnet copies the bytes that the
// kernel does not take and does not report when they have been sent. If the kernel's buffer is full, the queue keeps
// the rest by reference, and an epoll set of the engine tells the loop when the kernel takes more. Package stream
// describes how connections queue and close.
//
// gnet closes a connection at its peer's FIN. A peer that shuts down its sending side and waits for answers does not
// get them; Stats.Abandoned counts the connections for which answers were queued.
//
// # Mailbox
//
// Tasks that one goroutine posts to one loop run in order, whatever their number. A turn runs at most Config.DrainItems
// tasks or lasts Config.DrainTime. Another goroutine then requests the next turn, so that a flood of posts cannot
// starve the sockets. gnet reveals a loop with its first connection. Until then the engine's own goroutine drives the
// loop, so posts and timers work on all loops once Start has returned.
//
// # File descriptors
//
// Connections above Config.MaxConns get Config.Reject. The engine shortens the listen queues as descriptors run low. If
// they still run low, because the acceptor is ahead of busy loops, the listeners drop packets for a moment. If accept
// finds no descriptor at all, the engine continues, while gnet alone would end (this replaces gnet's ErrAcceptSocket
// for the whole process). With Config.PrivateFiles, an experiment for tests on Linux, each loop has its own table of
// descriptors, and the limit on connections applies to each loop.
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
