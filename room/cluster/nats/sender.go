package nats

import (
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

const (
	// confirmEvery is the least time between two questions whether the broker has got what was written.
	confirmEvery = 5 * time.Millisecond
	// bufferMax is the largest buffer that is kept for the next message, in bytes.
	bufferMax = 1 << 20
)

// flight counts what was written and not confirmed by the broker. Safe for concurrent use.
type flight struct {
	wake chan struct{} // has room for one: there is something to confirm

	mu sync.Mutex // guards what follows
	// taken are the messages of the queue, sent those of them that were written, bytes their payloads.
	taken, sent, bytes int
	ended              bool
}

// add notes that messages were written. It returns false if the link has ended.
func (f *flight) add(taken, sent, bytes int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return false
	}
	f.taken, f.sent, f.bytes = f.taken+taken, f.sent+sent, f.bytes+bytes
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns what was written since the last call; end is for the last one.
func (f *flight) take(end bool) (taken, sent, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken, sent, bytes = f.taken, f.sent, f.bytes
	f.taken, f.sent, f.bytes = 0, 0, 0
	f.ended = f.ended || end
	return taken, sent, bytes
}

// send writes what is in the outbox, until the adapter ends.
func (a *Adapter) send() {
	defer close(a.sent)
	broker.Send(a.ctx, a.keeper, a.outbox, a.write)
}

// write writes a batch. What was written when the connection is lost may have arrived, so nothing is sent again.
func (a *Adapter) write(l *link, batch []broker.Outgoing) {
	sent, bytes := 0, 0
	for i := range batch {
		m := batch[i].Message
		b, err := appendMessage(a.buffer[:0], m, a.cfg.Node)
		if err == nil {
			err = a.publish(l, a.names.of(m, batch[i].Node), b)
		}
		switch {
		case err == nil:
			sent, bytes = sent+1, bytes+len(b)
		case errors.Is(err, errTooLong), errors.Is(err, nats.ErrMaxPayload), errors.Is(err, errSocket):
			a.status.DroppedInvalid.Add(1)
		default:
			l.Fail(err)
			a.status.DroppedUnknown.Add(1)
		}
		if a.buffer = b; cap(b) > bufferMax {
			a.buffer = nil
		}
	}
	if !l.flight.add(len(batch), sent, bytes) {
		a.status.DroppedUnknown.Add(uint64(sent))
		a.outbox.Sent(len(batch))
	}
}

// publish writes a message, in parts if it is longer than the broker takes.
func (a *Adapter) publish(l *link, subject string, b []byte) error {
	most := int(l.conn.MaxPayload())
	if len(b) <= most {
		return l.conn.Publish(subject, b)
	}
	if len(b) > a.cfg.MaxMessage {
		return errTooLong
	}
	return split(b, a.cfg.Node, a.parts.Add(1), most, func(part []byte) error { return l.conn.Publish(subject, part) })
}

// confirm asks the broker again and again whether it has got what was written, until the link ends.
func (a *Adapter) confirm(l *link) {
	for !l.Ended() {
		select {
		case <-l.Broken():
		case <-l.flight.wake:
			a.confirmOnce(l)
			select {
			case <-l.Broken():
			case <-time.After(confirmEvery):
			}
		}
	}
	taken, sent, _ := l.flight.take(true)
	a.status.DroppedUnknown.Add(uint64(sent))
	a.outbox.Sent(taken)
	a.behind.Add(uint64(l.dropped()))
}

// confirmOnce asks once.
func (a *Adapter) confirmOnce(l *link) {
	taken, sent, bytes := l.flight.take(false)
	var err error
	l.Await(func() { err = l.ask() })
	if err != nil {
		l.Fail(err)
		a.status.DroppedUnknown.Add(uint64(sent))
	} else {
		l.Came.Add(1)
		a.status.Published.Add(uint64(sent))
		a.status.PublishedBytes.Add(uint64(bytes))
	}
	a.outbox.Sent(taken)
}

// giveUp drops what waits, because the broker is down.
func (a *Adapter) giveUp() {
	if n := a.outbox.Drop(func(*cluster.Message) bool { return false }); n > 0 {
		a.status.DroppedDown.Add(uint64(n))
	}
}
