package session

import "github.com/seed58c87869/siren/codec/eio"

// Traffic counts what the sessions of one event loop have received and sent. A value that Engine.Traffic has returned
// is immutable.
type Traffic struct {
	// Received and Sent count Engine.IO packets since the start, those of the heartbeat included. A sent one was
	// queued.
	Received, Sent uint64
	// Queued is the number of bytes that wait now: in the queues of the loop's connections, and of polling sessions for
	// their next GET.
	Queued int
	// Sessions is the number of open sessions now, WebSockets that of those whose transport is a WebSocket.
	Sessions, WebSockets int
}

// Traffic returns the counters of one loop. Loop-only, on that loop: so counting takes no atomic operation.
func (e *Engine) Traffic(loop int) Traffic {
	sh := e.shards[loop]
	t := sh.traffic
	t.Sessions = len(sh.sessions)
	t.Queued += sh.loop.Queued()
	return t
}

// packetsOf is the number of packets that a frame and its attachments are.
func packetsOf(f *eio.Frame) (n uint64) {
	for ; f != nil; f = f.Next() {
		n++
	}
	return n
}
