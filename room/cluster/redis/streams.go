package redis

import (
	"context"
	"encoding/base64"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// streams is the format of @socket.io/redis-streams-adapter: what sockets are meant to get or to do is in a stream, so
// a node that was cut off reads it later. Questions, answers and server-side events are published. Safe for concurrent
// use.
type streams struct {
	a            *Adapter // immutable, as are the following fields
	node, prefix string
	limits       msgpack.Limits

	mu sync.Mutex // guards what follows
	// last is the id of the entry that was read last; zero before the first reading.
	last cluster.Offset
	// settling has the numbers of the entries that were sent before this link; nil when the reader has come to settleAt.
	settling map[*space]uint64
	settleAt cluster.Offset
}

func newStreams(a *Adapter) *streams {
	return &streams{a: a, node: a.cfg.Node, prefix: a.cfg.Prefix, limits: a.limits()}
}

func (s *streams) main(ns string) string { return s.prefix + "#" + ns + "#" }

// channels implements format.
func (s *streams) channels(sp *space) map[channel]route {
	return map[channel]route{
		{kindChannel, s.main(sp.name)}:                {sp, roleRequest},
		{kindChannel, s.main(sp.name) + s.node + "#"}: {sp, roleResponse},
	}
}

// room implements format.
func (s *streams) room(*space, string) (channel, route, bool) { return channel{}, route{}, false }

// counted implements format.
func (s *streams) counted(ns string) channel { return channel{kindChannel, s.main(ns)} }

// check implements format.
func (s *streams) check(m *cluster.Message) (skip bool, err error) { return modelled(m) }

// keeps implements format: entries of the stream are read later too.
func (s *streams) keeps(m *cluster.Message) bool {
	switch m.Kind {
	case cluster.Broadcast:
		return m.Request == ""
	case cluster.SocketsJoin, cluster.SocketsLeave, cluster.DisconnectSockets:
		return true
	}
	return false
}

// encode implements format.
func (s *streams) encode(m *cluster.Message, node string) (parcel, error) {
	if s.keeps(m) {
		return s.entry(m)
	}
	e, err := envelope(m, s.node)
	if err != nil {
		return parcel{}, err
	}
	p := parcel{channel: s.main(m.Namespace)}
	if node != "" {
		p.channel += node + "#"
	}
	p.payload, err = msgpack.AppendValue(nil, e.JSON, e.Attachments)
	return p, err
}

// entry encodes an entry of the stream. Its data are JSON, or MessagePack in Base64 where they are binary.
func (s *streams) entry(m *cluster.Message) (parcel, error) {
	kind, data, err := modelData(m)
	if err != nil {
		return parcel{}, err
	}
	p := parcel{kind: parcelStream, channel: s.prefix, namespace: m.Namespace, node: s.node, payload: data.JSON, typ: int(kind)}
	if len(data.Attachments) > 0 {
		b, err := msgpack.AppendValue(nil, data.JSON, data.Attachments)
		if err != nil {
			return parcel{}, err
		}
		p.payload = base64.StdEncoding.AppendEncode(nil, b)
	} else if !sio.Valid(data.JSON, sio.MaxDepth) {
		return parcel{}, errTypes
	}
	return p, nil
}

// decode implements format.
func (s *streams) decode(sp *space, d *delivery) error {
	if d.entry != nil {
		return s.decodeEntry(sp, d)
	}
	e, attachments, err := readEnvelope(bytesOf(d.payload), &s.limits)
	if err != nil {
		return err
	}
	if e.UID == s.node || e.NSP != "" && e.NSP != sp.name {
		return errOwn
	}
	return s.a.questions.handOver(sp, &e, attachments)
}

// decodeEntry reads an entry of the stream.
func (s *streams) decodeEntry(sp *space, d *delivery) error {
	kind, err := strconv.ParseUint(d.entry.kind, 10, 8)
	if err != nil {
		return errRequest
	}
	e := envelopeJSON{
		Type: cluster.Kind(kind), UID: d.entry.uid, Data: bytesOf(d.payload), offset: d.entry.id, repeated: d.entry.uid == s.node,
	}
	var attachments [][]byte
	if len(d.payload) > 0 && d.payload[0] != '{' {
		b, err := base64.StdEncoding.DecodeString(d.payload)
		if err != nil {
			return errTypes
		}
		dec := msgpack.NewDecoder(b, &s.limits)
		if e.Data, attachments, err = dec.Value(); err == nil {
			err = dec.End()
		}
		if err != nil {
			return err
		}
	}
	return s.a.questions.handOver(sp, &e, attachments)
}

// entry is what an entry of the stream tells besides its data. Immutable.
type entry struct {
	uid, kind string
	id        cluster.Offset
	// number is that of an entry of this node; see numberField.
	number uint64
}

const (
	// readMax is how many entries are read at once, and readBlockMS how long the broker waits for one, in milliseconds.
	readMax     = 1000
	readBlockMS = 5000
)

// begin implements source. An adapter that begins reads from the end of the stream, and later from the last entry on.
func (s *streams) begin(ctx context.Context, l *link) error {
	end, err := s.edge(ctx, l, l.client.B().Xrevrange().Key(s.prefix).End("+").Start("-").Count(1).Build())
	if err != nil {
		return err
	}
	last := s.position()
	var kept, first cluster.Offset
	if !last.IsZero() {
		kept, err = s.edge(ctx, l, l.client.B().Xrange().Key(s.prefix).Start(last.String()).End(last.String()).Count(1).Build())
		if err == nil {
			first, err = s.edge(ctx, l, l.client.B().Xrange().Key(s.prefix).Start("-").End("+").Count(1).Build())
		}
		if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case last.IsZero():
		s.last = end
		if end.IsZero() {
			s.last = streamBegin
		}
		for _, sp := range s.a.logged() {
			sp.put(positionAt(s.last))
		}
	case kept.IsZero() && last != streamBegin:
		s.broken(first)
		if end.Compare(last) < 0 {
			s.last = streamBegin // another stream, in which time is not as late
			if first.IsZero() {
				s.last = last
			}
		}
	}
	s.settle(end)
	return nil
}

// streamBegin is the position in a stream without entries: none has such an id.
var streamBegin = cluster.Offset{Minor: 1}

// edge returns the id of the one entry that a command asks for; zero if there is none.
func (s *streams) edge(ctx context.Context, l *link, cmd rueidis.Completed) (cluster.Offset, error) {
	found, err := l.client.Do(ctx, cmd).AsXRange()
	if err != nil && !rueidis.IsRedisNil(err) || len(found) == 0 {
		if rueidis.IsRedisNil(err) {
			err = nil
		}
		return cluster.Offset{}, err
	}
	id, _ := cluster.ParseOffset(found[0].ID)
	return id, nil
}

// follow implements source.
func (s *streams) follow(l *link) {
	for !l.Ended() {
		switch err := s.read(l, s.position()); {
		case err == nil || rueidis.IsRedisNil(err):
		case isReply(err):
			broker.Sleep(s.a.ctx, s.a.cfg.RetryMax) // such as a key of another type, or while the broker loads its data
		default:
			l.Fail(err)
		}
	}
}

// position returns the id of the entry that was read last.
func (s *streams) position() cluster.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// read waits for entries and passes them on.
func (s *streams) read(l *link, last cluster.Offset) error {
	b := l.client.B()
	all, err := l.client.Do(context.Background(),
		b.Xread().Count(readMax).Block(readBlockMS).Streams().Key(s.prefix).Id(last.String()).Build()).AsXRead()
	if err != nil {
		return err
	}
	found := all[s.prefix]
	var first cluster.Offset
	if len(found) == readMax && last != streamBegin { // far behind, perhaps further than the stream goes back
		if first, err = s.edge(context.Background(), l, b.Xrange().Key(s.prefix).Start("-").End("+").Count(1).Build()); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first.Compare(last) > 0 {
		if id, ok := cluster.ParseOffset(found[0].ID); ok {
			s.broken(id)
		}
	}
	for i := range found {
		s.pass(l, &found[i])
	}
	s.settled()
	return nil
}

// pass passes an entry on to its namespace. Called with the lock held.
func (s *streams) pass(l *link, x *rueidis.XRangeEntry) {
	l.Came.Add(1)
	d, ok := s.delivery(x)
	if !ok {
		s.a.status.Malformed.Add(1)
		return
	}
	s.last = d.entry.id
	sp := s.a.space(x.FieldValues["nsp"])
	if sp == nil || sp.log == nil && d.entry.uid == s.node {
		return
	}
	sp.put(d)
}
