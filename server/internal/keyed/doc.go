// Package keyed keeps the few values that handlers have with a socket, by their keys.
package keyed
