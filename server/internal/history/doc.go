// Package history keeps what a namespace needs for the recovery of lost connections: the events that were emitted
// lately, as frames with the names of those they were for, and the sockets that are away. It knows nothing of
// connections and event loops: whoever records an event, or lets a socket leave or come back, passes a function that
// does the rest under the History's lock.
package history
