package pysocketio

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/codec/quote"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// Errors of messages that are dropped.
var (
	// errPickle means that a version before 5.14 has sent the message. It is not decoded: pickle can run code.
	errPickle = errors.New("pysocketio: pickle")
	errFormat = errors.New("pysocketio: not in the format")
	// errOwn means that nobody here wants the message.
	errOwn = errors.New("pysocketio: not for this node")
)

// command is a message of the channel. Members that a method does not have are empty.
type command struct {
	Method    string         `json:"method"`
	HostID    string         `json:"host_id"`
	Namespace string         `json:"namespace"`
	Event     string         `json:"event"`
	Data      jsontext.Value `json:"data"`
	Binary    bool           `json:"binary"`
	Room      names          `json:"room"`
	SkipSID   names          `json:"skip_sid"`
	SID       string         `json:"sid"`
	Callback  jsontext.Value `json:"callback"`
}

// names are null, one name, or a list of names.
type names []string

// UnmarshalJSON implements json.Unmarshaler. Numbers are names in decimal, as everywhere in a cluster.
func (n *names) UnmarshalJSON(b []byte) error {
	list := []jsontext.Value{b}
	if len(b) > 0 && b[0] == '[' {
		list = nil
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
	}
	*n = nil
	for _, v := range list {
		switch v.Kind() {
		case 'n':
		case '"':
			var name string
			if err := json.Unmarshal(v, &name, jsontext.AllowInvalidUTF8(true)); err != nil {
				return err
			}
			*n = append(*n, name)
		case '0':
			*n = append(*n, string(v))
		default:
			return errFormat
		}
	}
	return nil
}

// pickled is the first byte of a pickle of protocol 2 and later.
const pickled = 0x80

// decode returns the message of the channel as one of a cluster. Those whose host's id begins with own are not wanted.
// Errors: errPickle, errOwn, and others for what is not in the format.
func decode(payload []byte, own string) (*cluster.Message, error) {
	if len(payload) > 0 && payload[0] == pickled {
		return nil, errPickle
	}
	if !sio.Valid(payload, sio.MaxDepth) {
		return nil, errFormat
	}
	var c command
	if err := json.Unmarshal(payload, &c, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, err
	}
	if strings.HasPrefix(c.HostID, own) {
		return nil, errOwn // also answers to questions: this node asks none
	}
	m := &cluster.Message{Namespace: c.Namespace, Target: cluster.Target{Rooms: c.Room, Except: c.SkipSID}}
	if m.Namespace == "" {
		m.Namespace = "/"
	}
	switch c.Method {
	case "emit":
		return m, fillEvent(m, &c)
	case "disconnect":
		m.Kind, m.Target = cluster.DisconnectSockets, cluster.Target{Rooms: []string{c.SID}}
	case "enter_room":
		m.Kind, m.Rooms, m.Target = cluster.SocketsJoin, c.Room, cluster.Target{Rooms: []string{c.SID}}
	case "leave_room":
		m.Kind, m.Rooms, m.Target = cluster.SocketsLeave, c.Room, cluster.Target{Rooms: []string{c.SID}}
	case "close_room":
		m.Kind, m.Rooms = cluster.SocketsLeave, c.Room
		if len(c.Room) == 0 {
			return nil, errFormat
		}
		return m, nil
	case "callback":
		return nil, errOwn
	default:
		return nil, fmt.Errorf("%w: method %q", errFormat, c.Method)
	}
	if c.SID == "" || m.Kind != cluster.DisconnectSockets && len(m.Rooms) == 0 {
		return nil, errFormat
	}
	return m, nil
}

// fillEvent fills in an event.
func fillEvent(m *cluster.Message, c *command) (err error) {
	if c.Event == "" {
		return errFormat
	}
	m.Kind = cluster.Broadcast
	args := c.Data
	if c.Binary {
		if args, m.Data.Attachments, err = splitBinary(c.Data); err != nil {
			return err
		}
	}
	m.Data.JSON = append(quote.Append([]byte{'['}, c.Event), appendArguments(nil, args)...)
	m.Data.JSON = append(m.Data.JSON, ']')
	if len(m.Data.Attachments) > 0 {
		if _, err := m.Data.Inline(func(dst, _ []byte) []byte { return append(dst, '0') }); err != nil {
			return err // a placeholder without its data
		}
	}
	return fillCallback(m, c)
}

// appendArguments appends the arguments in data, each with a comma in front. Data are a list of them; versions before
// 5.15.1 send a single one that is no list as it is. One null is no argument.
func appendArguments(b []byte, data jsontext.Value) []byte {
	list := []jsontext.Value{data}
	if data.Kind() == '[' {
		list = nil
		_ = json.Unmarshal(data, &list, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // it is valid
	}
	if len(list) == 1 && (len(list[0]) == 0 || list[0].Kind() == 'n') {
		return b
	}
	for _, v := range list {
		b = append(append(b, ','), v...)
	}
	return b
}

// splitBinary returns the structure of binary data, and what its placeholders stand for.
func splitBinary(data jsontext.Value) (structure jsontext.Value, attachments [][]byte, err error) {
	var parts []jsontext.Value
	if data.Kind() != '[' || json.Unmarshal(data, &parts, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil || len(parts) == 0 {
		return nil, nil, errFormat
	}
	for _, p := range parts[1:] {
		var text string
		if err := json.Unmarshal(p, &text); err != nil {
			return nil, nil, err
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, nil, err
		}
		attachments = append(attachments, b)
	}
	return parts[0], attachments, nil
}

// askerPrefix begins the ids under which programs in Python ask for acknowledgements.
const askerPrefix = "pysocketio:"

// fillCallback makes an event a question if the program wants an acknowledgement: [room, namespace, id].
func fillCallback(m *cluster.Message, c *command) error {
	if len(c.Callback) == 0 || c.Callback.Kind() == 'n' {
		return nil
	}
	var parts []jsontext.Value
	if c.HostID == "" || c.Callback.Kind() != '[' || json.Unmarshal(c.Callback, &parts) != nil || len(parts) != 3 || parts[2].Kind() != '0' {
		return errFormat
	}
	m.From, m.Request = askerPrefix+c.HostID, string(c.Callback)
	return nil
}

// appendCallback encodes the answer to a question; ok is false if there is nothing to say.
func appendCallback(node string, m *cluster.Message) (b []byte, ok bool) {
	if m.Kind != cluster.BroadcastAck {
		return nil, false
	}
	var parts []jsontext.Value
	if json.Unmarshal([]byte(m.Request), &parts) != nil || len(parts) != 3 {
		return nil, false
	}
	args, err := m.Data.Inline(func(dst, a []byte) []byte { // the channel has no place for binary data here
		return quote.Append(dst, base64.StdEncoding.EncodeToString(a))
	})
	if err != nil {
		return nil, false
	}
	b = quote.Append([]byte(`{"method":"callback","host_id":`), node[len(askerPrefix):])
	b = append(append(b, `,"sid":`...), parts[0]...)
	b = append(append(b, `,"namespace":`...), parts[1]...)
	b = append(append(b, `,"id":`...), parts[2]...)
	return append(append(append(b, `,"args":`...), args...), '}'), true
}

// encode returns the messages for what the server publishes; none if the channel has no place for it and nobody misses
// it. Errors wrap cluster.ErrUnsupported.
func encode(m *cluster.Message, host string) (out [][]byte, err error) {
	switch m.Kind {
	case cluster.Broadcast:
		if m.Request != "" {
			return nil, nil
		}
		b, err := appendEmit(nil, m, host)
		return [][]byte{b}, err
	case cluster.SocketsJoin, cluster.SocketsLeave, cluster.DisconnectSockets:
		return appendMoves(m, host), nil
	}
	return nil, nil
}

// sidLen is the length of a socket's id, of either server.
const sidLen = 20

// appendEmit encodes an event.
func appendEmit(b []byte, m *cluster.Message, host string) ([]byte, error) {
	if len(m.Target.Users) > 0 {
		return nil, fmt.Errorf("%w: users as targets", cluster.ErrUnsupported)
	}
	for _, name := range m.Target.Except {
		if len(name) != sidLen {
			return nil, fmt.Errorf("%w: rooms that are left out", cluster.ErrUnsupported)
		}
	}
	var words []jsontext.Value
	if err := json.Unmarshal(m.Data.JSON, &words, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil || len(words) == 0 {
		return nil, errFormat
	}
	list := []byte{'['}
	for i, v := range words[1:] {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, v...)
	}
	list = append(list, ']')
	b = append(append(b, `{"method":"emit","event":`...), words[0]...)
	b = append(b, `,"data":`...)
	if len(m.Data.Attachments) > 0 {
		b = append(append(b, '['), list...)
		for _, a := range m.Data.Attachments {
			b = append(base64.StdEncoding.AppendEncode(append(b, `,"`...), a), '"')
		}
		b = append(b, ']')
	} else {
		b = append(b, list...)
	}
	b = strconv.AppendBool(append(b, `,"binary":`...), len(m.Data.Attachments) > 0)
	b = quote.Append(append(b, `,"namespace":`...), m.Namespace)
	b = appendNames(append(b, `,"room":`...), m.Target.Rooms)
	b = appendNames(append(b, `,"skip_sid":`...), m.Target.Except)
	return append(quote.Append(append(b, `,"callback":null,"host_id":`...), host), '}'), nil
}

// appendNames appends null, one name, or a list.
func appendNames(b []byte, list []string) []byte {
	switch len(list) {
	case 0:
		return append(b, "null"...)
	case 1:
		return quote.Append(b, list[0])
	}
	b = append(b, '[')
	for i, name := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote.Append(b, name)
	}
	return append(b, ']')
}

// appendMoves encodes what is to be done with single sockets. The channel has no other targets: sockets in rooms are
// moved by their own servers.
func appendMoves(m *cluster.Message, host string) (out [][]byte) {
	if len(m.Target.Except)+len(m.Target.Users) > 0 {
		return nil
	}
	method := map[cluster.Kind]string{
		cluster.SocketsJoin: "enter_room", cluster.SocketsLeave: "leave_room", cluster.DisconnectSockets: "disconnect",
	}[m.Kind]
	for _, sid := range m.Target.Rooms {
		if len(sid) != sidLen {
			return nil
		}
		rooms := m.Rooms
		if m.Kind == cluster.DisconnectSockets {
			rooms = []string{""}
		}
		for _, room := range rooms {
			b := quote.Append([]byte(`{"method":"`+method+`","sid":`), sid)
			if m.Kind != cluster.DisconnectSockets {
				b = quote.Append(append(b, `,"room":`...), room)
			}
			b = quote.Append(append(b, `,"namespace":`...), m.Namespace)
			out = append(out, append(quote.Append(append(b, `,"host_id":`...), host), '}'))
		}
	}
	return out
}
