package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// Bounds of what is sent in one round trip: enough that the round trip hardly counts.
const (
	batchMax      = 512
	batchBytesMax = 1 << 20
)

// parcelKind tells how a parcel is sent. Immutable.
type parcelKind uint8

const (
	parcelChannel parcelKind = iota
	parcelShard              // to a channel of sharded pub/sub
	parcelStream             // as an entry of a stream
)

// parcel is a message as the broker gets it. Immutable.
type parcel struct {
	kind    parcelKind
	channel string // or the stream
	payload []byte
	// node, namespace and typ are further fields of an entry.
	node, namespace string
	typ             int
}

// streamMax is about how many entries a stream keeps, as in the reference.
const streamMax = "10000"

// command returns the command that publishes the parcel.
func (p *parcel) command(b rueidis.Builder) rueidis.Completed {
	switch p.kind {
	case parcelShard:
		return b.Spublish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
	case parcelStream:
		return b.Xadd().Key(p.channel).Maxlen().Almost().Threshold(streamMax).Id("*").FieldValue().
			FieldValue("uid", p.node).FieldValue("nsp", p.namespace).FieldValue("type", strconv.Itoa(p.typ)).
			FieldValue("data", rueidis.BinaryString(p.payload)).Build()
	}
	return b.Publish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
}

// send sends what is in the outbox, until the adapter ends.
func (a *Adapter) send() {
	defer close(a.sent)
	var batch []broker.Outgoing
	for {
		l := a.keeper.Link()
		if l == nil {
			select {
			case <-a.ctx.Done():
				return
			case <-a.keeper.Linked():
			}
			continue
		}
		batch = a.outbox.Take(batch[:0], batchMax, batchBytesMax)
		if len(batch) == 0 {
			select {
			case <-a.ctx.Done():
				return
			case <-a.outbox.Wake:
			}
			continue
		}
		a.deliver(l, batch)
		a.outbox.Sent(len(batch))
		clear(batch)
	}
}

// deliver sends a batch. If the connection is lost meanwhile, the outcome is unknown, and nothing is sent again.
func (a *Adapter) deliver(l *link, batch []broker.Outgoing) {
	commands := make([]rueidis.Completed, 0, len(batch))
	sizes := make([]int, 0, len(batch))
	for i := range batch {
		p, err := a.format.encode(batch[i].Message, batch[i].Node)
		if err != nil {
			a.status.DroppedInvalid.Add(1)
			continue
		}
		if p.channel == "" {
			continue // the format has nothing for it
		}
		commands = append(commands, p.command(l.client.B()))
		sizes = append(sizes, len(p.payload))
	}
	if len(commands) == 0 {
		return
	}
	l.busySince.Store(time.Now().UnixNano())
	results := l.client.DoMulti(context.Background(), commands...) // the end of the link ends it
	l.busySince.Store(0)
	for i, r := range results {
		switch err := r.Error(); {
		case err == nil:
			a.status.Published.Add(1)
			a.status.PublishedBytes.Add(uint64(sizes[i]))
		case isReply(err):
			a.status.DroppedDown.Add(1)
		default:
			a.status.DroppedUnknown.Add(1)
			l.Fail(err)
		}
	}
}

// giveUp drops what waits, because the broker is down, except what is read later, too.
func (a *Adapter) giveUp() {
	if n := a.outbox.Drop(a.format.keeps); n > 0 {
		a.status.DroppedDown.Add(uint64(n))
	}
}

var _ cluster.Adapter = (*Adapter)(nil)
