package poller

import "runtime"

// goroutineID reads the number of the calling goroutine from the head of its stack trace, "goroutine 12 [running]:".
// There is no other way to it; nothing but OnLoop and the assertions use it.
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
