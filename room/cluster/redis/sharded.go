package redis

import (
	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// sharded is the format of the sharded adapter of @socket.io/redis-adapter. Immutable.
type sharded struct {
	node, prefix string
	rooms        RoomMode
	limits       msgpack.Limits
	questions    *questions
}

func newSharded(a *Adapter) *sharded {
	return &sharded{node: a.cfg.Node, prefix: a.cfg.Prefix, rooms: a.cfg.Rooms, limits: a.limits(), questions: a.questions}
}

func (s *sharded) main(ns string) string { return s.prefix + "#" + ns + "#" }

// channels implements format.
func (s *sharded) channels(sp *space) map[channel]route {
	return map[channel]route{
		{kindShard, s.main(sp.name)}:                {sp, roleBroadcast},
		{kindShard, s.main(sp.name) + s.node + "#"}: {sp, roleResponse},
	}
}

// single reports whether the messages of a room have a channel of their own. By a rule of the reference, a name of 20
// characters is a socket's id.
func (s *sharded) single(room string) bool {
	return s.rooms == RoomsPrivate || s.rooms == RoomsOneByOne && len(room) != idLength
}

// room implements format.
func (s *sharded) room(sp *space, room string) (channel, route, bool) {
	if !s.single(room) {
		return channel{}, route{}, false
	}
	return channel{kindShard, s.main(sp.name) + room + "#"}, route{sp, roleBroadcast}, true
}

// counted implements format.
func (s *sharded) counted(ns string) channel { return channel{kindShard, s.main(ns)} }

// check implements format.
func (s *sharded) check(m *cluster.Message) (skip bool, err error) { return modelled(m) }

// keeps implements format: who is not subscribed gets nothing later.
func (s *sharded) keeps(*cluster.Message) bool { return false }

// encode implements format.
func (s *sharded) encode(m *cluster.Message, node string) (parcel, error) {
	e, err := envelope(m, s.node)
	if err != nil {
		return parcel{}, err
	}
	p := parcel{kind: parcelShard, channel: s.main(m.Namespace), payload: e.JSON}
	if len(e.Attachments) > 0 {
		if p.payload, err = msgpack.AppendValue(nil, e.JSON, e.Attachments); err != nil {
			return parcel{}, err
		}
	} else if !sio.Valid(e.JSON, sio.MaxDepth) {
		return parcel{}, errTypes
	}
	switch {
	case node != "":
		p.channel += node + "#"
	case m.Kind == cluster.Broadcast && m.Request == "" && len(m.Target.Rooms) == 1 && s.single(m.Target.Rooms[0]):
		p.channel += m.Target.Rooms[0] + "#"
	}
	return p, nil
}

// decode implements format.
func (s *sharded) decode(sp *space, d *delivery) error {
	e, attachments, err := readEnvelope(bytesOf(d.payload), &s.limits)
	if err != nil {
		return err
	}
	if e.UID == s.node || e.NSP != "" && e.NSP != sp.name {
		return errOwn
	}
	return s.questions.handOver(sp, &e, attachments)
}

// readEnvelope reads {type, data, uid, nsp}, as JSON or MessagePack.
func readEnvelope(b []byte, limits *msgpack.Limits) (e envelopeJSON, attachments [][]byte, err error) {
	if len(b) == 0 || b[0] != '{' {
		d := msgpack.NewDecoder(b, limits)
		if b, attachments, err = d.Value(); err == nil {
			err = d.End()
		}
		if err != nil {
			return e, nil, err
		}
	}
	err = readJSON(b, &e)
	return e, attachments, err
}
