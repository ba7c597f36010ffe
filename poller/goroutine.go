package poller

import "runtime"

// goroutineID parses the number of the calling goroutine from its stack trace, "goroutine 12 [running]:", because there
// is no other way to get it. Only OnLoop and assertions use it.
func goroutineID() int64 {
	var buf [64]byte
	head := buf[:runtime.Stack(buf[:], false)]
	const prefix = len("goroutine ")
	var id int64
	for i := prefix; i < len(head) && head[i] >= '0' && head[i] <= '9'; i++ {
		id = id*10 + int64(head[i]-'0')
	}
	return id
}
