package redis

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/codec/quote"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// What the sharded and the streams adapter of the reference have in common is the message {type, data, uid, nsp}. Its
// types are the numbers of cluster.Kind. It is JSON, or MessagePack where it holds binary data; here both are made from
// one sio.Raw.

// modelled is check for all formats: none has refusals, nor anything to abandon a question with.
func modelled(m *cluster.Message) (skip bool, err error) {
	switch m.Kind {
	case cluster.Refused, cluster.Abandoned, cluster.NodeLeft, cluster.InitialHeartbeat, cluster.Heartbeat:
		return true, nil
	}
	if len(m.Target.Users) > 0 {
		return false, fmt.Errorf("%w: users as targets", cluster.ErrUnsupported)
	}
	return false, nil
}

// envelope returns {type, data, uid, nsp}.
func envelope(m *cluster.Message, node string) (sio.Raw, error) {
	kind, data, err := modelData(m)
	if err != nil {
		return sio.Raw{}, err
	}
	b := strconv.AppendInt([]byte(`{"type":`), int64(kind), 10)
	b = append(append(b, `,"data":`...), data.JSON...)
	b = quote.Append(append(b, `,"uid":`...), node)
	b = append(quote.Append(append(b, `,"nsp":`...), m.Namespace), '}')
	return sio.Raw{JSON: b, Attachments: data.Attachments}, nil
}

// modelData returns the type and the data of a message. All parts are always there, because nodes of the reference need
// them.
func modelData(m *cluster.Message) (kind cluster.Kind, data sio.Raw, err error) {
	kind = m.Kind
	b := make([]byte, 0, m.Size())
	switch m.Kind {
	case cluster.Broadcast:
		if !isArray(m.Data.JSON) {
			return 0, data, errNoEvent
		}
		b = append(append(append(b, `{"packet":{"type":2,"data":`...), m.Data.JSON...), '}')
		if m.Request != "" {
			b = quote.Append(append(b, `,"requestId":`...), m.Request)
		}
		b = appendOpts(append(b, ','), &m.Target)
	case cluster.SocketsJoin, cluster.SocketsLeave:
		rooms := appendStrings
		if m.Kind == cluster.SocketsLeave {
			rooms = appendNames
		}
		b = rooms(append(appendOpts(append(b, '{'), &m.Target), `,"rooms":`...), m.Rooms)
	case cluster.DisconnectSockets:
		b = strconv.AppendBool(append(appendOpts(append(b, '{'), &m.Target), `,"close":`...), m.Close)
	case cluster.FetchSockets, cluster.CountSockets: // the reference cannot count sockets: they are fetched
		kind = cluster.FetchSockets
		b = quote.Append(append(appendOpts(append(b, '{'), &m.Target), `,"requestId":`...), m.Request)
	case cluster.ServerSideEmit:
		if !isArray(m.Data.JSON) {
			return 0, data, errNoEvent
		}
		b = append(b, '{')
		if m.Request != "" {
			b = append(quote.Append(append(b, `"requestId":`...), m.Request), ',')
		}
		b = append(append(b, `"packet":`...), m.Data.JSON...)
	default:
		return modelAnswer(m, b)
	}
	return kind, sio.Raw{JSON: append(b, '}'), Attachments: m.Data.Attachments}, nil
}

// modelAnswer is modelData for answers.
func modelAnswer(m *cluster.Message, b []byte) (cluster.Kind, sio.Raw, error) {
	b = quote.Append(append(b, `{"requestId":`...), m.Request)
	switch m.Kind {
	case cluster.ClientCount:
		b = strconv.AppendInt(append(b, `,"clientCount":`...), int64(m.Count), 10)
	case cluster.BroadcastAck, cluster.ServerSideResponse:
		b = append(append(b, `,"packet":`...), firstOf(m.Data)...)
	case cluster.FetchSocketsResponse:
		var attachments [][]byte
		b, err := appendSockets(b, m.Sockets, func(d sio.Raw) (out []byte, err error) {
			out, attachments, err = renumber(d, attachments)
			return out, err
		})
		return m.Kind, sio.Raw{JSON: b, Attachments: attachments}, err
	default:
		return 0, sio.Raw{}, fmt.Errorf("%w: %v", cluster.ErrUnsupported, m.Kind)
	}
	return m.Kind, sio.Raw{JSON: append(b, '}'), Attachments: m.Data.Attachments}, nil
}

// renumber appends the attachments of a value to others and returns its JSON with their new numbers.
func renumber(d sio.Raw, all [][]byte) ([]byte, [][]byte, error) {
	out, err := d.Inline(func(dst, b []byte) []byte {
		all = append(all, b)
		return append(strconv.AppendInt(append(dst, `{"_placeholder":true,"num":`...), int64(len(all)-1), 10), '}')
	})
	return out, all, err
}

// appendOpts appends the member opts.
func appendOpts(b []byte, t *cluster.Target) []byte {
	b = appendNames(append(b, `"opts":{"rooms":`...), t.Rooms)
	b = appendNames(append(b, `,"except":`...), t.Except)
	b = append(b, `,"flags":{`...)
	begin := len(b)
	if t.Volatile {
		b = append(b, `"volatile":true`...)
	}
	if t.NoCompress {
		if len(b) > begin {
			b = append(b, ',')
		}
		b = append(b, `"compress":false`...)
	}
	if t.Timeout > 0 {
		if len(b) > begin {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `"timeout":`...), max(t.Timeout.Milliseconds(), 1), 10)
	}
	return append(b, "}}"...)
}

// envelopeJSON is {type, data, uid, nsp}.
type envelopeJSON struct {
	Type cluster.Kind   `json:"type"`
	UID  string         `json:"uid"`
	NSP  string         `json:"nsp"`
	Data jsontext.Value `json:"data"`
	// offset is that of an entry of the stream, and repeated is set for one of this node.
	offset   cluster.Offset
	repeated bool
}

// dataJSON are the data of all types.
type dataJSON struct {
	Packet jsontext.Value `json:"packet"`
	Opts   *struct {
		Rooms  names `json:"rooms"`
		Except names `json:"except"`
		Flags  struct {
			Volatile bool     `json:"volatile"`
			Compress *bool    `json:"compress"`
			Timeout  *float64 `json:"timeout"`
		} `json:"flags"`
	} `json:"opts"`
	RequestID   string         `json:"requestId"`
	Rooms       names          `json:"rooms"`
	Close       bool           `json:"close"`
	Sockets     jsontext.Value `json:"sockets"`
	ClientCount *int           `json:"clientCount"`
}

// packetJSON is an event.
type packetJSON struct {
	Type int            `json:"type"`
	Data jsontext.Value `json:"data"`
	NSP  string         `json:"nsp"`
}

// handOver hands a message of the model to the server. attachments are the binary data of all of it.
func (q *questions) handOver(sp *space, e *envelopeJSON, attachments [][]byte) error {
	m := &cluster.Message{Kind: e.Type, Namespace: sp.name, From: e.UID, Offset: e.offset, Repeated: e.repeated}
	m.Unsettled = sp.log != nil && sp.log.Unsettled()
	switch m.Kind {
	case cluster.NodeLeft:
		if m.From != "" {
			sp.receive(m)
		}
		return nil
	case cluster.InitialHeartbeat, cluster.Heartbeat:
		return nil
	}
	var d dataJSON
	if err := readJSON(e.Data, &d); err != nil {
		return err
	}
	m.Request = d.RequestID
	if d.Opts != nil {
		m.Target = cluster.Target{
			Rooms: d.Opts.Rooms.texts(), Except: d.Opts.Except.texts(), Volatile: d.Opts.Flags.Volatile,
			NoCompress: d.Opts.Flags.Compress != nil && !*d.Opts.Flags.Compress,
		}
		if t := d.Opts.Flags.Timeout; t != nil && *t > 0 {
			m.Target.Timeout = timeout(uint64(*t))
		}
	}
	if m.Kind >= cluster.FetchSocketsResponse && m.Kind != cluster.ServerSideEmit {
		return q.handAnswer(sp, m, &d, attachments)
	}
	if err := fillIn(m, &d, attachments); err != nil {
		return err
	}
	sp.receive(m)
	return nil
}

// fillIn fills in a message that is not an answer.
func fillIn(m *cluster.Message, d *dataJSON, attachments [][]byte) (err error) {
	if d.Opts == nil && m.Kind != cluster.ServerSideEmit {
		return errOptions
	}
	switch m.Kind {
	case cluster.Broadcast:
		var p packetJSON
		if err := readJSON(d.Packet, &p); err != nil {
			return err
		}
		if p.Type != packetType && p.Type != packetType+3 || !isArray(p.Data) {
			return errNoEvent
		}
		m.Data, err = part(p.Data, attachments)
		if m.Request != "" && m.From == "" {
			return errNoAsker
		}
	case cluster.SocketsJoin, cluster.SocketsLeave:
		if m.Rooms = d.Rooms.texts(); len(m.Rooms) == 0 {
			return errOptions
		}
	case cluster.DisconnectSockets:
		m.Close = d.Close
	case cluster.FetchSockets:
		if m.Request == "" || m.From == "" {
			return errNoAsker
		}
	case cluster.ServerSideEmit:
		if !isArray(d.Packet) {
			return errNoEvent
		}
		m.Data, err = part(d.Packet, attachments)
	default:
		return errRequest
	}
	return err
}

// handAnswer hands an answer to the server.
func (q *questions) handAnswer(sp *space, m *cluster.Message, d *dataJSON, attachments [][]byte) (err error) {
	if m.Request == "" {
		return errUnasked
	}
	switch m.Kind {
	case cluster.ClientCount:
		if d.ClientCount == nil || *d.ClientCount < 0 {
			return errTypes
		}
		m.Count = *d.ClientCount
	case cluster.BroadcastAck:
		if m.Data, err = part(asList(d.Packet), attachments); err == nil {
			sp.receive(m)
		}
		return err
	case cluster.ServerSideResponse:
		m.Data, err = part(asList(d.Packet), attachments)
	case cluster.FetchSocketsResponse:
		if !q.waits(sp, m.Request) {
			return errOwn
		}
		m.Sockets, err = readSockets(d.Sockets)
		for i := range m.Sockets {
			if s := &m.Sockets[i]; err == nil {
				s.Data, err = part(s.Data.JSON, attachments)
			}
		}
	default:
		return errRequest
	}
	if err != nil {
		return err
	}
	return q.answer(sp, m)
}

// part returns a value with those of the attachments that it refers to.
func part(value []byte, attachments [][]byte) (sio.Raw, error) {
	if len(attachments) == 0 {
		return sio.Raw{JSON: value}, nil
	}
	text, own, err := renumber(sio.Raw{JSON: value, Attachments: attachments}, nil)
	return sio.Raw{JSON: text, Attachments: own}, err
}
