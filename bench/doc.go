// Package bench generates load for a Socket.IO server and measures how well it
// fans messages out.
//
// [Run] makes one scenario, see [Kind]: a fan-out in which every delivery is
// checked, handshakes, idle sessions, round trips in a closed or an open loop,
// long-polling, upgrades, a storm of reconnections, slow readers, and rooms of
// growing size. It reports rates, latencies, and the CPU time and memory of the
// server, each as the median of its rounds ([Result].Metrics), and curves. The
// server must speak the load profile: events `join` and `echo` (acknowledged),
// `publish` and `publish-all`, answered with `tick` events that carry their
// number and the CLOCK_MONOTONIC time of their emission.
//
// Beside the server a run can measure a floor: a bare epoll loop, in a process
// of its own, that sends and receives as many bytes as the server without
// understanding any of them. That is what the kernel costs on this machine at
// this moment, and a figure divided by its floor can be compared between
// machines.
//
// The client side is an epoll loop of its own, one per [Config.Workers], each
// locked to a thread. Everything below Run (workers, subscribers, connections)
// is loop-owned: only the worker's goroutine touches it, and the coordinator
// reaches it through the worker's mailbox. Where one process may not open enough
// connections, workers run in several ([Config.Processes]); those and the floor
// are started with [Config.Command], which must lead to [Child]. Config and
// Result are plain values.
//
//	result, err := bench.Run(ctx, bench.Config{
//		URL:         "http://127.0.0.1:3000",
//		Subscribers: 2000,
//		Broadcasts:  50,
//	})
//	if err != nil {
//		return err // nothing was measured
//	}
//	result.WriteTable(os.Stdout)
//	if !result.OK {
//		os.Exit(1)
//	}
//
// The package needs Linux: epoll, /proc and CLOCK_MONOTONIC.
package bench
