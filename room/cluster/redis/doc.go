// Package redis is an adapter for clusters whose nodes exchange messages through Redis, in the formats of the
// reference's adapters, so that nodes of both kinds may share one cluster.
//
//	a, err := redis.New(redis.Config{URL: "redis://127.0.0.1:6379"})
//	if err != nil {
//		return err
//	}
//	srv, err := server.New(server.Config{}, server.WithAdapter(a))
//
// # Connections
//
// An adapter has two connections, and a third one to read a stream: one that publishes and asks, and one that is
// subscribed. In a Redis Cluster there is a subscribed one to each master for sharded channels. Publish and Send only
// queue; a goroutine sends what waits, many messages in one round trip. A connection that is lost, or that no longer
// answers while another one does, is replaced, and everything is subscribed again.
// Messages whose outcome is unknown are not sent again, so nothing arrives twice. While the broker is away, messages
// are refused, and nothing else of the server notices.
//
// # What comes from the broker
//
// Anybody who can publish there can send messages, so they are treated like input of clients: they are decoded within
// bounds, and what is not in the format is dropped and counted. Each namespace has its own bounded queue and its own
// goroutine, so one that is behind does not hold up another.
//
// # Concurrency
//
// An Adapter is safe for concurrent use. Messages of a namespace are delivered one at a time, in the order in which
// the broker sent them.
package redis
