// Package bench generates load for a Socket.IO server and measures how well it
// fans messages out.
//
// One scenario is built in: [Run] opens N subscribers over WebSocket or
// long-polling, has one more connection publish K numbered messages, checks
// that every subscriber gets every message exactly once and in order, and
// reports latency, rate, and the CPU time and memory of the server. The server
// must speak the load profile: events `join` (acknowledged), `publish` and
// `publish-all`, answered with `tick` events that carry their number and the
// CLOCK_MONOTONIC time of their emission.
//
// The client side is an epoll loop of its own, one per [Config.Workers], each
// locked to a thread. Everything below Run (workers, subscribers, connections)
// is loop-owned: only the worker's goroutine touches it, and the coordinator
// reaches it through the worker's mailbox. Config and Result are plain values.
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
