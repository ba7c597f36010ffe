// Package forward lets a load balancer send any request to any node of a cluster, without sticky sessions. The id of a
// session names its node, and a [Node] passes requests for sessions of other nodes on to these.
//
// # Ids
//
// A node draws a tag when it starts. Each id that it makes has 136 random bits, the number of the session's loop, and
// the tag under a mask, which follows from the random bits and the secret. So ids tell outsiders nothing about nodes.
//
// # Links
//
// Nodes connect to each other's own listener. Both sides prove that they know the secret, with nonces and the time,
// before anything else is read: see hello. A link is such a connection on the event loop of the client's connection.
// It carries one request at a time, in HTTP/1.1, behind a prefix with the client's address, and is kept for the next
// one. The answer is passed on as it arrives; while the client takes nothing, the link is not read. A request for a
// WebSocket turns its link into one, and the two connections are spliced byte for byte.
//
// Nothing is encrypted: the listener belongs into a private network.
//
// # Peers
//
// Each node keeps one more connection to every other one, on which it asks once in [Config.PingInterval] whether that
// node is alive. Requests for a node that does not answer get 503, also those under way, and requests for a node that
// is gone get 400 "Session ID unknown", so clients begin a new session at once. Nodes find each other by
// [Config.Peers], by a [Discovery] such as that of [Over], and by who connects to them.
//
//	fw, err := forward.New(forward.Config{Listen: "10.0.0.5:7000", Secret: secret, Peers: []string{"10.0.0.6:7000"}})
//	srv, err := server.New(server.Config{Forwarder: fw})
//
// # Concurrency
//
// A Node is safe for concurrent use. Event loops never wait for another node: dialing and proving run on goroutines, at
// most maxDials for each loop and node, and everything that waits is bounded and counted.
package forward
