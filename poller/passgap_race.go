//go:build race

package poller

import "time"

// passGap is longer with the race detector, which makes the time from one task to the next many times as long.
const passGap = int64(500 * time.Microsecond)
