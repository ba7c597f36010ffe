package redis

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

var (
	// errOwn is no error: the message is this node's own, or for others on the same channel.
	errOwn      = errors.New("redis: not for this node")
	errNoEvent  = errors.New("redis: no event")
	errOptions  = errors.New("redis: no options")
	errTypes    = errors.New("redis: a value of a wrong type")
	errNoAsker  = errors.New("redis: a question without an id or a node to answer")
	errUnasked  = errors.New("redis: an answer to nobody")
	errRequest  = errors.New("redis: unknown type of request")
	errNoOption = errors.New("redis: neither options nor a socket")
)

// decode implements format.
func (c *classic) decode(sp *space, d *delivery) error {
	b := bytesOf(d.payload)
	isJSON := len(b) > 0 && b[0] == '{'
	switch {
	case d.role == roleBroadcast:
		return c.decodeBroadcast(sp, b)
	case d.role == roleRequest && isJSON:
		return c.decodeRequest(sp, b)
	case d.role == roleRequest:
		return c.decodeCall(sp, b)
	case isJSON:
		return c.decodeResponse(sp, b)
	}
	return c.decodeAck(sp, b)
}

// bytesOf returns the bytes of a text, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// decodeBroadcast reads [uid, packet, options]. Further elements are ignored.
func (c *classic) decodeBroadcast(sp *space, b []byte) error {
	d := msgpack.NewDecoder(b, &c.limits)
	n, err := d.Array()
	if err != nil {
		return err
	}
	if n < 3 {
		return errOptions
	}
	m := &cluster.Message{Kind: cluster.Broadcast, Namespace: sp.name}
	if m.From, err = d.Text(); err != nil {
		return err
	}
	if m.From == c.node {
		return errOwn
	}
	if err := readPacket(d, m); err != nil {
		return err
	}
	if err := readOptions(d, &m.Target); err != nil {
		return err
	}
	for range n - 3 {
		if err := d.Skip(); err != nil {
			return err
		}
	}
	if err := d.End(); err != nil {
		return err
	}
	sp.receive(m)
	return nil
}

// readPacket reads {type, data, nsp}.
func readPacket(d *msgpack.Decoder, m *cluster.Message) error {
	kind := uint64(0)
	err := readMap(d, func(name string) (err error) {
		switch name {
		case "type":
			kind, err = d.Uint()
		case "data":
			m.Data.JSON, m.Data.Attachments, err = d.Value()
		case "nsp":
			var nsp string
			if nsp, err = d.Text(); err == nil && nsp != m.Namespace {
				err = errOwn // of another namespace, whose channel looks like one of this namespace
			}
		default:
			err = d.Skip()
		}
		return err
	})
	if err == nil && (kind != packetType && kind != packetType+3 || !isArray(m.Data.JSON)) {
		err = errNoEvent
	}
	return err
}

// readMap calls member for the name of each member of a map, whose value member has to read.
func readMap(d *msgpack.Decoder, member func(name string) error) error {
	n, err := d.Map()
	for ; n > 0 && err == nil; n-- {
		var name string
		if name, err = d.Text(); err == nil {
			err = member(name)
		}
	}
	return err
}

// readOptions reads {rooms, except, flags}. As in the reference, each of them may be missing.
func readOptions(d *msgpack.Decoder, t *cluster.Target) error {
	return readMap(d, func(name string) (err error) {
		switch name {
		case "rooms":
			t.Rooms, err = readTexts(d)
		case "except":
			t.Except, err = readTexts(d)
		case "flags":
			if !d.Nil() {
				err = readFlags(d, t)
			}
		default:
			err = d.Skip()
		}
		return err
	})
}

// readTexts reads a list of rooms. Rooms may be numbers in the reference.
func readTexts(d *msgpack.Decoder) ([]string, error) {
	if d.Nil() {
		return nil, nil
	}
	n, err := d.Array()
	if n == 0 || err != nil {
		return nil, err
	}
	out := make([]string, n)
	for i := range out {
		if out[i], err = d.Text(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readFlags(d *msgpack.Decoder, t *cluster.Target) error {
	return readMap(d, func(name string) (err error) {
		if d.Nil() {
			return nil
		}
		switch name {
		case "volatile":
			t.Volatile, err = d.Bool()
		case "compress":
			var on bool
			on, err = d.Bool()
			t.NoCompress = !on
		case "timeout":
			var ms uint64
			ms, err = d.Uint()
			t.Timeout = timeout(ms)
		default:
			err = d.Skip()
		}
		return err
	})
}

// timeoutMax bounds the time that another node may have clients asked for.
const timeoutMax = 24 * time.Hour

func timeout(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(timeoutMax/time.Millisecond))) * time.Millisecond
}

// decodeCall reads a broadcast with acknowledgements, the only request that is MessagePack.
func (c *classic) decodeCall(sp *space, b []byte) error {
	d := msgpack.NewDecoder(b, &c.limits)
	m := &cluster.Message{Kind: cluster.Broadcast, Namespace: sp.name}
	kind, options := uint64(0), false
	err := readMap(d, func(name string) (err error) {
		switch name {
		case "uid":
			if m.From, err = d.Text(); err == nil && m.From == c.node {
				err = errOwn
			}
		case "requestId":
			m.Request, err = d.Text()
		case "type":
			kind, err = d.Uint()
		case "packet":
			err = readPacket(d, m)
		case "opts":
			options = true
			err = readOptions(d, &m.Target)
		default:
			err = d.Skip()
		}
		return err
	})
	if err == nil {
		err = d.End()
	}
	switch {
	case err != nil:
		return err
	case requestType(kind) != typeBroadcast:
		return errRequest
	case m.Data.JSON == nil:
		return errNoEvent
	case !options:
		return errOptions
	case m.Request == "" || m.From == "":
		return errNoAsker
	}
	sp.receive(m)
	return nil
}

// decodeAck reads the acknowledgement of a client of another node, the only answer that is MessagePack.
func (c *classic) decodeAck(sp *space, b []byte) error {
	d := msgpack.NewDecoder(b, &c.limits)
	m := &cluster.Message{Kind: cluster.BroadcastAck, Namespace: sp.name, Data: sio.Raw{JSON: []byte("[]")}}
	kind := uint64(0)
	err := readMap(d, func(name string) (err error) {
		switch name {
		case "requestId":
			m.Request, err = d.Text()
		case "type":
			kind, err = d.Uint()
		case "packet":
			m.Data.JSON, m.Data.Attachments, err = d.Value()
			m.Data.JSON = asList(m.Data.JSON)
		default:
			err = d.Skip()
		}
		return err
	})
	if err == nil {
		err = d.End()
	}
	switch {
	case err != nil:
		return err
	case requestType(kind) != typeAck:
		return errRequest
	case m.Request == "":
		return errUnasked
	}
	sp.receive(m)
	return nil
}

// asList returns a JSON array with one value, or an empty one.
func asList(value []byte) []byte {
	if len(value) == 0 {
		return []byte("[]")
	}
	return append(append(append(make([]byte, 0, len(value)+2), '['), value...), ']')
}

// name is the name of a room in JSON: a text or a number.
type name string

// UnmarshalJSON implements json.Unmarshaler.
func (n *name) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(n))
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return errTypes
	}
	*n = name(strconv.FormatFloat(f, 'f', -1, 64))
	return nil
}

// names are the names of rooms.
type names []name

func (n names) texts() []string {
	if len(n) == 0 {
		return nil
	}
	out := make([]string, len(n))
	for i := range n {
		out[i] = string(n[i])
	}
	return out
}

// requestJSON is a request or a response.
type requestJSON struct {
	UID       string       `json:"uid"`
	RequestID string       `json:"requestId"`
	Type      *requestType `json:"type"`
	Opts      *struct {
		Rooms  names `json:"rooms"`
		Except names `json:"except"`
	} `json:"opts"`
	Rooms       names          `json:"rooms"`
	Data        jsontext.Value `json:"data"`
	SID         string         `json:"sid"`
	Room        name           `json:"room"`
	Close       bool           `json:"close"`
	Sockets     jsontext.Value `json:"sockets"`
	ClientCount *int           `json:"clientCount"`
}

// readJSON reads JSON as JavaScript does: of several members of a name the last one counts.
func readJSON(b []byte, v any) error {
	return json.Unmarshal(b, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// decodeRequest reads a request that is JSON.
func (c *classic) decodeRequest(sp *space, b []byte) error {
	var r requestJSON
	if err := readJSON(b, &r); err != nil {
		return err
	}
	if r.UID == c.node {
		return errOwn
	}
	if r.Type == nil {
		return errRequest
	}
	m := &cluster.Message{Namespace: sp.name, From: r.UID, Request: r.RequestID, Rooms: r.Rooms.texts(), Close: r.Close}
	if r.Opts != nil {
		m.Target.Rooms, m.Target.Except = r.Opts.Rooms.texts(), r.Opts.Except.texts()
	}
	switch *r.Type {
	case typeSockets:
		m.Target.Rooms, m.Request = m.Rooms, askedSockets+r.RequestID
		return ask(sp, m, &r)
	case typeAllRooms:
		m.Request = askedRooms + r.RequestID
		return ask(sp, m, &r)
	case typeFetch:
		if r.Opts == nil {
			return errOptions
		}
		return ask(sp, m, &r)
	case typeServerSideEmit:
		m.Kind, m.Data.JSON = cluster.ServerSideEmit, r.Data
		if !isArray(r.Data) {
			return errNoEvent
		}
		if r.UID == "" {
			m.Request = ""
		}
		sp.receive(m)
		return nil
	case typeJoin, typeLeave, typeDisconnect:
		return act(sp, m, &r)
	}
	return errRequest
}

// ask asks the server for its sockets.
func ask(sp *space, m *cluster.Message, r *requestJSON) error {
	if r.RequestID == "" || r.UID == "" {
		return errNoAsker
	}
	m.Kind = cluster.FetchSockets
	sp.receive(m)
	return nil
}

// act has the server move or disconnect sockets. In the form of earlier versions, the request is for one socket, and
// the node that has it answers.
func act(sp *space, m *cluster.Message, r *requestJSON) error {
	switch *r.Type {
	case typeJoin:
		m.Kind = cluster.SocketsJoin
	case typeLeave:
		m.Kind = cluster.SocketsLeave
	default:
		m.Kind = cluster.DisconnectSockets
	}
	m.Request = ""
	moves := *r.Type != typeDisconnect
	switch {
	case r.Opts != nil && moves && len(m.Rooms) == 0:
		return errOptions
	case r.Opts != nil:
		sp.receive(m)
		return nil
	case r.SID == "" || moves && r.Room == "":
		return errNoOption
	}
	m.Target = cluster.Target{Rooms: []string{r.SID}}
	if moves {
		m.Rooms = []string{string(r.Room)}
	}
	if r.RequestID != "" && r.UID != "" { // before the socket may be gone
		sp.receive(&cluster.Message{
			Kind: cluster.FetchSockets, Namespace: sp.name, From: r.UID, Request: askedOwner + r.RequestID, Target: m.Target,
		})
	}
	sp.receive(m)
	return nil
}

// decodeResponse reads an answer that is JSON.
func (c *classic) decodeResponse(sp *space, b []byte) error {
	var r requestJSON
	if err := readJSON(b, &r); err != nil {
		return err
	}
	m := &cluster.Message{Namespace: sp.name, Request: r.RequestID}
	var err error
	switch {
	case r.Type != nil && *r.Type == typeClientCount && r.ClientCount != nil && *r.ClientCount >= 0:
		m.Kind, m.Count = cluster.ClientCount, *r.ClientCount
	case r.Type != nil && *r.Type == typeServerSideEmit:
		m.Kind, m.Data.JSON = cluster.ServerSideResponse, asList(r.Data)
	case r.Type != nil:
		return errRequest
	case r.Sockets != nil && !c.questions.waits(sp, r.RequestID):
		return errOwn
	case r.Sockets != nil:
		m.Kind = cluster.FetchSocketsResponse
		m.Sockets, err = readSockets(r.Sockets)
	case r.RequestID != "":
		return errOwn // an answer to a question of older versions, for another node
	default:
		return errUnasked
	}
	if err != nil {
		return err
	}
	return c.questions.answer(sp, m)
}

// answer hands an answer to the server, as one to the question that it has asked.
func (q *questions) answer(sp *space, m *cluster.Message) error {
	kind := q.answered(sp, m.Request)
	switch {
	case kind == 0:
		return errOwn // for another node, or too late
	case kind == cluster.CountSockets && m.Kind == cluster.FetchSocketsResponse:
		m = &cluster.Message{Kind: cluster.CountResponse, Namespace: sp.name, From: m.From, Request: m.Request, Count: len(m.Sockets)}
	case kind == cluster.FetchSockets && m.Kind == cluster.FetchSocketsResponse,
		kind == cluster.ServerSideEmit && m.Kind == cluster.ServerSideResponse,
		kind == cluster.Broadcast && m.Kind == cluster.ClientCount:
	default:
		return errTypes
	}
	sp.receive(m)
	return nil
}

// readSockets reads descriptions of sockets.
func readSockets(b []byte) ([]cluster.Socket, error) {
	var in []struct {
		ID        string            `json:"id"`
		Handshake cluster.Handshake `json:"handshake"`
		Rooms     names             `json:"rooms"`
		Data      jsontext.Value    `json:"data"`
	}
	if err := readJSON(b, &in); err != nil {
		return nil, err
	}
	out := make([]cluster.Socket, len(in))
	for i, s := range in {
		out[i] = cluster.Socket{ID: strings.Clone(s.ID), Rooms: s.Rooms.texts(), Handshake: s.Handshake, Data: sio.Raw{JSON: s.Data}}
	}
	return out, nil
}
