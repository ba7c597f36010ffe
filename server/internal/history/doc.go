// Package history stores what a namespace needs to recover lost connections: the recent events, as frames with the
// names of their receivers, and the absent sockets. It knows nothing of connections and event loops: callers that
// record an event, or let a socket leave or come back, pass a function that does the rest under the History's lock.
package history
