// Package sim measures the server with very many connections in one process: the real sessions, rooms and namespaces
// run on fake event loops with fake connections that only count, so neither sockets nor clients limit what is measured.
// A million connections take one to two minutes and 3 GiB.
//
// What is real: HTTP and WebSocket parsing of handshakes and packets, sessions, heartbeats on the timing wheel,
// namespaces, rooms, broadcasts up to the connection's queue. What is not: the kernel, gnet and package poller. A fake
// connection stands in for them; what it costs by itself is measured apart, subtracted from memory and reported as the
// floor of a broadcast.
//
// Concurrency: Run starts one goroutine for each loop, locked to a thread, and ends all of them before it returns. It
// changes the process's collector settings while it runs, and reads figures of the whole process, so there should be
// one at a time. Processor time is that of the driving threads, which other programs on the machine disturb little.
//
//	result, err := sim.Run(ctx, sim.Config{Conns: 1_000_000})
//	if err != nil {
//		return err // nothing was measured
//	}
//	sim.WriteTable(os.Stdout, result)
//
// The package needs Linux: /proc and the clocks of threads.
package sim
