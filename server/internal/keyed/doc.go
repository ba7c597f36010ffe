// Package keyed stores the few values that handlers keep with a socket, by their keys.
package keyed
