//go:build race

package poller

import "time"

// passGap is longer where the race detector makes the way from one task to the next many times as long: see there.
const passGap = int64(500 * time.Microsecond)
