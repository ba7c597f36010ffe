//go:build !race

package poller

import "time"

// passGap is the time between two turns from which on they belong to different passes of gnet's loop. A pass runs all
// queued tasks, including those that arrive meanwhile, before it looks at the sockets again, and gnet does not tell
// when it does. The gap is longer than an epoll_wait that finds nothing, and shorter than any delay that matters.
const passGap = int64(5 * time.Microsecond)
