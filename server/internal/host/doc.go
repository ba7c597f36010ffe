// Package host runs an engine of sessions, whatever these carry: it opens the listeners, drives the event loops or is
// attached to those of others, serves a program's own net/http server, answers requests for other paths, holds the
// limits of connections and of memory, and closes all of it without losing what was accepted.
package host
