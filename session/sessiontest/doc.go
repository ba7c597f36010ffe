// Package sessiontest has Engine.IO clients for tests of what arrives and how connections end: a WebSocket and a
// polling client, over connections that the test makes, such as those of package netns. They read at the pace of their
// connection. They keep only the beginning and the checksum of each message, so that hundreds of them may get a
// megabyte each. They distinguish a connection that ended after its last message from one that was cut.
//
// They never reconnect, and are not safe for concurrent use.
package sessiontest
