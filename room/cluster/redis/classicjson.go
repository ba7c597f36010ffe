package redis

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

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
