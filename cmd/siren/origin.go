package main

import (
	"slices"

	"github.com/seed58c87869/siren/server"
)

// originsAllowed is what --cors-origin says: without a list every page may connect, and read nothing by polling; with
// one, those of other origins are refused on both transports, but for the server's own pages.
func originsAllowed(origins []string) server.CORS {
	listed := len(origins) > 0 && !slices.Contains(origins, "*")
	return server.CORS{Origins: origins, Credentials: listed, Enforce: listed, SameHost: listed}
}
