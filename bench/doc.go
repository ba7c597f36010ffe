// Package bench generates load for a Socket.IO server and measures how well the server fans messages out.
//
// [Run] runs one scenario, see [Kind]: a fan-out that checks every delivery, handshakes, idle sessions, round trips in
// a closed or an open loop, long-polling, upgrades, a storm of reconnections, slow readers, or rooms of growing size.
// It reports rates, latencies, and the CPU time and memory of the server, each as the median of its rounds
// ([Result].Metrics), and curves. The server is `siren serve`, or implements the load profile: events `join` and `echo`
// (acknowledged), `publish` and `publish-all`, which it answers with `tick` events that carry their number and the
// CLOCK_MONOTONIC time of their emission. Run tells them apart, see [Vocabulary]. Package profile measures any other
// server.
//
// Besides the server, a run can measure a floor: a bare epoll loop in its own process, which sends and receives as many
// bytes as the server without parsing them. The floor is the cost of the kernel on this machine at this moment. A
// figure divided by its floor can be compared between machines.
//
// Each of the [Config.Workers] on the client side is an epoll loop, locked to a thread. Everything below Run (workers,
// subscribers, connections) is loop-owned: only the worker's goroutine uses it, and the coordinator reaches it through
// the worker's mailbox. If one process may not open enough connections, workers run in several processes
// ([Config.Processes]). These and the floor are started with [Config.Command], which must call [Child]. Config and
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
// Generating load needs Linux: epoll, /proc and CLOCK_MONOTONIC. Elsewhere Run returns [ErrSystem]; results can be read
// and compared everywhere.
package bench
