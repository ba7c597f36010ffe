// Package profile puts load on any Socket.IO server, as a small file describes it.
//
// A [Profile] says how users connect, what they join, what is published by an event or an HTTP call, which event
// answers it, in which stages the users come and go, and which thresholds decide whether the run is a success. [Read]
// reads it from YAML, and its errors name the line. [Run] carries it out and returns the same kind of result as the
// scenarios of package bench.
//
//	p, err := profile.Read("chat.yaml", text)
//	if err != nil {
//		return err
//	}
//	result, err := profile.Run(ctx, p, profile.Options{})
//
// Load is an open loop: a publication is due at a certain time whatever the server does, and its latency counts from
// then. So no delay is left out, be it the server's or the generator's own. The generator measures its own delay and
// its own processor time, and says when it was the bottleneck.
//
// A Profile is immutable once read. Functions are safe for concurrent use.
package profile
