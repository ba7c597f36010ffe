package node

import (
	"fmt"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/server"
)

// limitsOf returns the limits of clients that a configuration has.
func limitsOf(cfg *config.Config) server.Limits {
	l := &cfg.Limits
	return server.Limits{
		ConnectionsPerAddress: l.ConnectionsPerAddress, AcceptsPerSecond: l.AcceptsPerSecond,
		EventsPerSecond: l.EventsPerSecond, BytesPerSecond: l.BytesPerSecond,
	}
}

// filesReserve is the number of files, about, that the process needs besides connections.
const filesReserve = 512

// enoughFiles returns an error if the limit of open files is below that of connections. descriptors is 0 when it is not
// known.
func enoughFiles(connections int, descriptors uint64) error {
	need := connections + filesReserve
	if connections == 0 || descriptors == 0 || uint64(need) <= descriptors {
		return nil
	}
	return fmt.Errorf("--max-conns %d needs %d open files, and the limit is %d; raise it (ulimit -n), or lower --max-conns",
		connections, need, descriptors)
}
