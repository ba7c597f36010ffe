package redis

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
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
	keep            int    // about how many entries the stream keeps
	number          uint64 // of an entry that has to come back; else 0
}

// command returns the command that publishes the parcel.
func (p *parcel) command(b rueidis.Builder) rueidis.Completed {
	switch p.kind {
	case parcelShard:
		return b.Spublish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
	case parcelStream:
		x := b.Xadd().Key(p.channel).Maxlen().Almost().Threshold(strconv.Itoa(p.keep)).Id("*").FieldValue().
			FieldValue("uid", p.node).FieldValue("nsp", p.namespace).FieldValue("type", strconv.Itoa(p.typ)).
			FieldValue("data", rueidis.BinaryString(p.payload))
		if p.number > 0 {
			x = x.FieldValue(numberField, strconv.FormatUint(p.number, 10))
		}
		return x.Build()
	}
	return b.Publish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
}

// send sends what is in the outbox, until the adapter ends.
func (a *Adapter) send() {
	defer close(a.sent)
	broker.Send(a.ctx, a.keeper, a.outbox, a.deliver)
}

// deliver sends a batch. If the connection is lost meanwhile, the outcome is unknown, and nothing is sent again.
func (a *Adapter) deliver(l *link, batch []broker.Outgoing) {
	defer a.outbox.Sent(len(batch))
	commands := make([]rueidis.Completed, 0, len(batch))
	sizes := make([]int, 0, len(batch))
	of := make([]*broker.Outgoing, 0, len(batch))
	for i := range batch {
		x := &batch[i]
		cmd, size, ok := a.command(l.client.B(), x)
		if ok {
			commands, sizes, of = append(commands, cmd), append(sizes, size), append(of, x)
		}
	}
	if len(commands) == 0 {
		return
	}
	var results []rueidis.RedisResult
	l.Await(func() { results = l.client.DoMulti(context.Background(), commands...) }) // the end of the link ends it
	for i, r := range results {
		switch err := r.Error(); {
		case err == nil:
			a.status.Published.Add(1)
			a.status.PublishedBytes.Add(uint64(sizes[i]))
		case isReply(err):
			a.status.DroppedDown.Add(1)
			if of[i].Number > 0 {
				a.refused(of[i])
			}
		default:
			a.status.DroppedUnknown.Add(1)
			l.Fail(err)
		}
	}
}

// command returns the command for what waited, with the size of its payload. ok is false if there is nothing to send.
func (a *Adapter) command(b rueidis.Builder, x *broker.Outgoing) (cmd rueidis.Completed, size int, ok bool) {
	if save, is := x.Other.(*saving); is {
		cmd, ok = save.command(b)
		return cmd, len(save.value), ok
	}
	p, err := a.format.encode(x.Message, x.Node)
	if err != nil {
		a.status.DroppedInvalid.Add(1)
		if x.Number > 0 {
			a.refused(x)
		}
		return cmd, 0, false
	}
	if p.channel == "" {
		return cmd, 0, false // the format has nothing for it
	}
	if p.number, p.keep = x.Number, a.cfg.StreamEntries; x.Number > 0 {
		a.sending(x)
	}
	return p.command(b), len(p.payload), true
}

// giveUp drops what waits, because the broker is down, except what is read later, too.
func (a *Adapter) giveUp() {
	if n := a.outbox.Drop(a.format.keeps); n > 0 {
		a.status.DroppedDown.Add(uint64(n))
	}
}

var _ cluster.Adapter = (*Adapter)(nil)
