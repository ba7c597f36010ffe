// Package loadserver is a Siren server with the events that the load generator sends: join, echo, enter, move, ping,
// publish and publish-all, as bench/README.md describes them. cmd/fixture serves it, and siren bench million starts it.
package loadserver
