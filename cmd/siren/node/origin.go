package node

import (
	"slices"

	"github.com/seed58c87869/siren/server"
)

// originsAllowed returns the settings for a list of origins: without a list every page may connect, and read nothing by
// polling; with one, those of other origins are refused on both transports, but for the server's own pages.
func originsAllowed(origins []string) server.CORS {
	listed := len(origins) > 0 && !slices.Contains(origins, "*")
	return server.CORS{Origins: origins, Credentials: listed, Enforce: listed, SameHost: listed}
}
