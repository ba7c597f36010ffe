//go:build !race

package poller

import "time"

// passGap tells two passes of gnet's loop apart. A pass runs all tasks that are there, also those that come meanwhile,
// before it looks at sockets again, and it does not say when that was. Two turns with less than this between
// them may be of one pass. It is more than the way through epoll_wait takes with nothing to do, and less than any
// delay that matters.
const passGap = int64(5 * time.Microsecond)
