// Package sessiontest has Engine.IO clients for tests of what arrives, and of how connections end: a WebSocket and a
// polling client over connections that the test has made, such as those of package netns. They read at the pace of
// their connection, keep the beginning and the checksum of what they got and not the whole, so that hundreds of them
// may get a megabyte each, and tell a connection that ended behind its last message from one that was cut.
//
// They never reconnect and are not for use by several goroutines at once.
package sessiontest
