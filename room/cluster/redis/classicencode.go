package redis

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/quote"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// encode implements format.
func (c *classic) encode(m *cluster.Message, node string) (parcel, error) {
	switch m.Kind {
	case cluster.Broadcast:
		return c.broadcast(m)
	case cluster.SocketsJoin, cluster.SocketsLeave, cluster.DisconnectSockets, cluster.FetchSockets, cluster.CountSockets,
		cluster.ServerSideEmit:
		payload, err := c.request(m)
		return parcel{channel: c.requests(m.Namespace), payload: payload}, err
	case cluster.ServerSideResponse: // the reference answers this on the channel of all nodes
		payload, err := c.response(m)
		return parcel{channel: c.responses(m.Namespace), payload: payload}, err
	case cluster.ClientCount, cluster.BroadcastAck, cluster.FetchSocketsResponse:
		payload, err := c.response(m)
		if payload == nil {
			return parcel{}, err
		}
		return parcel{channel: c.responses(m.Namespace) + node + "#", payload: payload}, err
	}
	return parcel{}, fmt.Errorf("%w: %v", cluster.ErrUnsupported, m.Kind)
}

// packetType is the type of an event. It is the same for events with binary data.
const packetType = 2

// broadcast encodes an event: [uid, packet, options], or a request if acknowledgements are wanted.
func (c *classic) broadcast(m *cluster.Message) (parcel, error) {
	b := make([]byte, 0, m.Size())
	p := parcel{channel: c.broadcasts(m.Namespace)}
	if m.Request == "" {
		b = msgpack.AppendText(msgpack.AppendArray(b, 3), c.node)
		if len(m.Target.Rooms) == 1 {
			p.channel += m.Target.Rooms[0] + "#"
		}
	} else {
		p.channel = c.requests(m.Namespace)
		b = msgpack.AppendText(msgpack.AppendText(msgpack.AppendMap(b, 5), "uid"), c.node)
		b = msgpack.AppendText(msgpack.AppendText(b, "requestId"), m.Request)
		b = msgpack.AppendUint(msgpack.AppendText(b, "type"), uint64(typeBroadcast))
		b = msgpack.AppendText(b, "packet")
	}
	b, err := appendPacket(b, m)
	if err != nil {
		return parcel{}, err
	}
	if m.Request != "" {
		b = msgpack.AppendText(b, "opts")
	}
	p.payload = appendOptions(b, &m.Target)
	return p, nil
}

// appendPacket appends {type, data, nsp}.
func appendPacket(b []byte, m *cluster.Message) ([]byte, error) {
	if !isArray(m.Data.JSON) {
		return nil, errNoEvent
	}
	b = msgpack.AppendUint(msgpack.AppendText(msgpack.AppendMap(b, 3), "type"), packetType)
	b, err := msgpack.AppendValue(msgpack.AppendText(b, "data"), m.Data.JSON, m.Data.Attachments)
	if err != nil {
		return nil, err
	}
	return msgpack.AppendText(msgpack.AppendText(b, "nsp"), m.Namespace), nil
}

// appendOptions appends {rooms, except, flags}. All three are always there, because nodes of the reference end without
// them.
func appendOptions(b []byte, t *cluster.Target) []byte {
	b = msgpack.AppendMap(b, 3)
	b = appendRooms(msgpack.AppendText(b, "rooms"), t.Rooms)
	b = appendRooms(msgpack.AppendText(b, "except"), t.Except)
	flags := 0
	for _, on := range []bool{t.Volatile, t.NoCompress, t.Timeout > 0} {
		if on {
			flags++
		}
	}
	b = msgpack.AppendMap(msgpack.AppendText(b, "flags"), flags)
	if t.Volatile {
		b = msgpack.AppendBool(msgpack.AppendText(b, "volatile"), true)
	}
	if t.NoCompress {
		b = msgpack.AppendBool(msgpack.AppendText(b, "compress"), false)
	}
	if t.Timeout > 0 {
		b = msgpack.AppendUint(msgpack.AppendText(b, "timeout"), uint64(max(t.Timeout.Milliseconds(), 1)))
	}
	return b
}

// appendRooms appends the names of rooms. In the reference the rooms 101 and "101" differ, and its sockets may be in
// either: one that looks like a number is there twice.
func appendRooms(b []byte, all []string) []byte {
	n := len(all)
	for _, s := range all {
		if _, ok := asNumber(s); ok {
			n++
		}
	}
	b = msgpack.AppendArray(b, n)
	for _, s := range all {
		b = msgpack.AppendText(b, s)
		if n, ok := asNumber(s); ok {
			b = msgpack.AppendUint(b, n)
		}
	}
	return b
}

// numberDigits are the most digits of a number that JavaScript holds exactly in any case.
const numberDigits = 15

// asNumber reports whether a room may be a number in the reference: an integer as JavaScript writes it.
func asNumber(room string) (uint64, bool) {
	if room == "" || len(room) > numberDigits || room[0] == '0' && len(room) > 1 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range []byte(room) {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = 10*n + uint64(c)
	}
	return n, true
}

// isArray reports whether text, which is JSON, is an array.
func isArray(text []byte) bool { return len(text) > 0 && text[0] == '[' }

// request encodes a request to all nodes, as JSON.
func (c *classic) request(m *cluster.Message) ([]byte, error) {
	b := quote.Append([]byte(`{"uid":`), c.node)
	if m.Request != "" {
		b = quote.Append(append(b, `,"requestId":`...), m.Request)
	}
	b = append(b, `,"type":`...)
	switch m.Kind {
	case cluster.SocketsJoin, cluster.SocketsLeave:
		t := typeJoin
		if m.Kind == cluster.SocketsLeave {
			t = typeLeave
		}
		b = appendTarget(strconv.AppendInt(b, int64(t), 10), &m.Target)
		rooms := appendStrings
		if t == typeLeave {
			rooms = appendNames
		}
		b = rooms(append(b, `,"rooms":`...), m.Rooms)
	case cluster.DisconnectSockets:
		b = appendTarget(strconv.AppendInt(b, int64(typeDisconnect), 10), &m.Target)
		b = strconv.AppendBool(append(b, `,"close":`...), m.Close)
	case cluster.ServerSideEmit:
		b = append(strconv.AppendInt(b, int64(typeServerSideEmit), 10), `,"data":`...)
		if !isArray(m.Data.JSON) {
			return nil, errNoEvent
		}
		data, err := m.Data.Inline(appendBuffer)
		if err != nil {
			return nil, err
		}
		b = append(b, data...)
	default: // the reference cannot count sockets: they are fetched
		b = appendTarget(strconv.AppendInt(b, int64(typeFetch), 10), &m.Target)
	}
	return append(b, '}'), nil
}

// appendTarget appends the member opts. Flags have no place there.
func appendTarget(b []byte, t *cluster.Target) []byte {
	b = appendNames(append(b, `,"opts":{"rooms":`...), t.Rooms)
	b = appendNames(append(b, `,"except":`...), t.Except)
	return append(b, '}')
}

// appendNames is appendRooms in JSON.
func appendNames(b []byte, all []string) []byte {
	b = append(b, '[')
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote.Append(b, s)
		if n, ok := asNumber(s); ok {
			b = strconv.AppendUint(append(b, ','), n, 10)
		}
	}
	return append(b, ']')
}

func appendStrings(b []byte, all []string) []byte {
	b = append(b, '[')
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote.Append(b, s)
	}
	return append(b, ']')
}

// appendBuffer appends binary data as JSON has them in Node.
func appendBuffer(dst, data []byte) []byte {
	dst = append(dst, `{"type":"Buffer","data":[`...)
	for i, c := range data {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(c), 10)
	}
	return append(dst, `]}`...)
}

// response encodes an answer. nil means that nothing is to be sent.
func (c *classic) response(m *cluster.Message) ([]byte, error) {
	switch m.Kind {
	case cluster.ClientCount:
		b := strconv.AppendInt([]byte(`{"type":`), int64(typeClientCount), 10)
		b = quote.Append(append(b, `,"requestId":`...), m.Request)
		return append(strconv.AppendInt(append(b, `,"clientCount":`...), int64(m.Count), 10), '}'), nil
	case cluster.BroadcastAck:
		b := msgpack.AppendUint(msgpack.AppendText(msgpack.AppendMap(nil, 3), "type"), uint64(typeAck))
		b = msgpack.AppendText(msgpack.AppendText(b, "requestId"), m.Request)
		return msgpack.AppendValue(msgpack.AppendText(b, "packet"), firstOf(m.Data), m.Data.Attachments)
	case cluster.ServerSideResponse:
		data, err := sio.Raw{JSON: firstOf(m.Data), Attachments: m.Data.Attachments}.Inline(appendBuffer)
		b := strconv.AppendInt([]byte(`{"type":`), int64(typeServerSideEmit), 10)
		b = quote.Append(append(b, `,"requestId":`...), m.Request)
		return append(append(append(b, `,"data":`...), data...), '}'), err
	}
	return fetched(m)
}

// firstOf returns the first value of a JSON array, or null.
func firstOf(d sio.Raw) []byte {
	if len(d.JSON) > 2 && d.JSON[0] == '[' {
		if first, _ := sio.NextArg(d.JSON[1 : len(d.JSON)-1]); len(first) > 0 {
			return first
		}
	}
	return []byte("null")
}

// fetched encodes the answer to a question that was asked as FetchSockets.
func fetched(m *cluster.Message) ([]byte, error) {
	id, isSockets := strings.CutPrefix(m.Request, askedSockets)
	id, isRooms := strings.CutPrefix(id, askedRooms)
	id, isOwner := strings.CutPrefix(id, askedOwner)
	if isOwner && len(m.Sockets) == 0 {
		return nil, nil
	}
	b := quote.Append([]byte(`{"requestId":`), id)
	switch {
	case isOwner:
	case isSockets:
		ids := make([]string, 0, len(m.Sockets))
		for i := range m.Sockets {
			ids = append(ids, m.Sockets[i].ID)
		}
		b = appendStrings(append(b, `,"sockets":`...), ids)
	case isRooms:
		b = appendStrings(append(b, `,"rooms":`...), roomsOf(m.Sockets))
	default:
		return appendSockets(b, m.Sockets, func(d sio.Raw) ([]byte, error) { return d.Inline(appendBuffer) })
	}
	return append(b, '}'), nil
}

// roomsOf returns the rooms of sockets, each once.
func roomsOf(sockets []cluster.Socket) (out []string) {
	seen := map[string]bool{}
	for i := range sockets {
		for _, room := range sockets[i].Rooms {
			if !seen[room] {
				seen[room] = true
				out = append(out, room)
			}
		}
	}
	return out
}

// appendSockets appends the member sockets and the end of the object. encode returns the JSON of a socket's data.
func appendSockets(b []byte, sockets []cluster.Socket, encode func(d sio.Raw) ([]byte, error)) ([]byte, error) {
	b = append(b, `,"sockets":[`...)
	for i := range sockets {
		if i > 0 {
			b = append(b, ',')
		}
		s := &sockets[i]
		handshake, err := s.Handshake.MarshalJSON()
		if err != nil {
			return nil, err
		}
		data := []byte("{}")
		if len(s.Data.JSON) > 0 {
			if data, err = encode(s.Data); err != nil {
				return nil, err
			}
		}
		b = append(append(quote.Append(append(b, `{"id":`...), s.ID), `,"handshake":`...), handshake...)
		b = appendStrings(append(b, `,"rooms":`...), s.Rooms)
		b = append(append(append(b, `,"data":`...), data...), '}')
	}
	return append(b, "]}"...), nil
}
