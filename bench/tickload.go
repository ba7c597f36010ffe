package bench

import (
	"strconv"
	"strings"
	"time"
)

const (
	// tickWindow is how many publications may wait for their acknowledgements. It bounds what the server has to queue.
	tickWindow = 16
	// tickAgain is when a publication is repeated that the server was too busy for.
	tickAgain = time.Millisecond
)

// tickLoad publishes the ticks of a burst to a server that cannot publish many by itself; loop-owned, the zero value is
// idle.
type tickLoad struct {
	publisher *subscriber
	head      string // of a publication, behind the id
	padding   string
	count     int
	next      int
	gap       int64
	at        int64 // clock time at which the next tick is due
	base      int   // acknowledgement id of the first tick
	waiting   int   // publications without an acknowledgement
	again     []int // ticks that the server was too busy for
	againAt   int64
}

// begin starts a burst.
func (t *tickLoad) begin(publisher *subscriber, cfg Config, now int64) {
	audience := `"room":"all"`
	if cfg.All {
		audience = `"all":true`
	}
	*t = tickLoad{
		publisher: publisher, head: `["publish",{"event":"tick",` + audience + `,"data":"#`,
		padding: strings.Repeat("x", cfg.Size-tickPadAt), count: cfg.Broadcasts, gap: int64(cfg.Gap), at: now,
		base: t.base + t.count,
	}
}

// due returns the time until the next tick that may be sent.
func (t *tickLoad) due(now int64) (wait time.Duration, ok bool) {
	switch {
	case t.publisher == nil || t.publisher.phase != phaseReady || t.waiting >= tickWindow:
		return 0, false
	case len(t.again) > 0:
		return time.Duration(max(0, t.againAt-now)), true
	case t.next < t.count:
		return time.Duration(max(0, t.at-now)), true
	}
	return 0, false
}

// pace sends the ticks that are due.
func (t *tickLoad) pace(w *worker) {
	for {
		now := w.clock.now()
		if wait, ok := t.due(now); !ok || wait > 0 {
			return
		}
		n := t.next
		if len(t.again) > 0 {
			n, t.again = t.again[0], t.again[1:]
		} else {
			t.next++
			t.at += t.gap
		}
		t.send(w, n, now)
	}
}

// send publishes one tick.
func (t *tickLoad) send(w *worker, n int, now int64) {
	p := append(w.packet[:0], "42"...)
	p = strconv.AppendInt(p, int64(t.base+n), 10)
	p = append(p, t.head...)
	p = appendPadded(p, int64(n), tickTimeAt-1-tickNumberAt)
	p = append(p, ':')
	p = appendPadded(p, now, tickPadAt-1-tickTimeAt)
	p = append(append(p, ':'), t.padding...)
	w.packet = append(p, `"}]`...)
	t.waiting++
	t.publisher.link.sendBytes(w.packet)
}

// answered takes an acknowledgement. It returns false for a packet that is none, or a refusal.
func (t *tickLoad) answered(packet []byte, now int64) bool {
	if len(packet) == 0 || packet[0] != '3' {
		return false
	}
	id, rest := ackID(packet[1:])
	if n := id - t.base; n < 0 || n >= t.count {
		return id >= 0 // of an earlier burst
	}
	t.waiting--
	switch {
	case strings.HasPrefix(string(rest), nodePublished):
		return true
	case string(rest) == nodeBusy:
		t.again = append(t.again, id-t.base)
		t.againAt = now + int64(tickAgain)
		return true
	}
	return false
}
