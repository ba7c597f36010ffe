package adminui

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
)

// adminData is what nodes tell each other about a socket for the UI, as the member _admin of its data.
type adminData struct {
	ClientID  string `json:"clientId"`
	Transport string `json:"transport"`
}

// shared gives adminData to other nodes.
var shared = server.NewKey[adminData]("_admin", server.Shared())

// serialized is a socket in the UI's form.
type serialized struct {
	ID        string          `json:"id"`
	ClientID  string          `json:"clientId"`
	Transport string          `json:"transport"`
	NSP       string          `json:"nsp"`
	Data      server.Raw      `json:"data"`
	Handshake json.RawMessage `json:"handshake"`
	Rooms     []string        `json:"rooms"`
}

// entry is a socket that the UI was told of. Guarded by its feed.
type entry struct {
	s         *server.Socket
	handshake json.RawMessage // immutable
	transport string
	data      server.Raw
	// rooms are those that the UI was told, without the socket's own id; nil for none.
	rooms map[string]struct{}
	// gone is set when the socket had ended before its disconnect handler ran.
	gone bool
}

func (e *entry) serialize() serialized {
	id := e.s.ID()
	rooms := []string{id}
	for room := range e.rooms {
		rooms = append(rooms, room)
	}
	slices.Sort(rooms[1:])
	return serialized{id, e.s.ClientID(), e.transport, e.s.Namespace().Name(), e.data, e.handshake, rooms}
}

// newEntry describes a socket of this node.
func (f *feed) newEntry(s *server.Socket) *entry {
	h := s.Handshake()
	e := &entry{s: s, handshake: f.handshake(cluster.Handshake(h.Data(nil))), transport: string(s.Transport()), data: dataOf(s.Data())}
	shared.Set(s, adminData{s.ClientID(), e.transport})
	return e
}

// join notes a room. It returns false if the UI has been told of it.
func (e *entry) join(room string) bool {
	if _, known := e.rooms[room]; known {
		return false
	}
	if e.rooms == nil {
		e.rooms = map[string]struct{}{}
	}
	e.rooms[room] = struct{}{}
	return true
}

// leave forgets a room. It returns false if the UI has not been told of it.
func (e *entry) leave(room string) bool {
	_, known := e.rooms[room]
	delete(e.rooms, room)
	return known
}

// elsewhere describes a socket of another node. Of one that does not tell about its clients they are guessed.
func (f *feed) elsewhere(nsp string, r server.RemoteSocket) serialized {
	var data struct {
		Admin adminData `json:"_admin"`
	}
	_ = r.Data().Unmarshal(&data)
	about := data.Admin
	if about.ClientID == "" {
		about = adminData{r.ID(), string(server.WebSocket)}
	}
	return serialized{r.ID(), about.ClientID, about.Transport, nsp, dataOf(r.Data()), f.handshake(r.Handshake()), r.Rooms()}
}

// noData is the data of a socket that has none.
var noData = server.Raw{JSON: []byte("{}")}

// dataOf returns the data of a socket without what nodes tell each other for the UI.
func dataOf(data server.Raw) server.Raw {
	if !bytes.Contains(data.JSON, []byte(`"_admin"`)) {
		if len(data.JSON) == 0 {
			return noData
		}
		return data
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data.JSON, &members) != nil {
		return noData
	}
	delete(members, "_admin")
	text, err := json.Marshal(members)
	if err != nil {
		return noData
	}
	return server.Raw{JSON: text, Attachments: data.Attachments}
}

// handshake is a handshake in the UI's form, without the auth payload and what is hidden.
func (f *feed) handshake(h cluster.Handshake) json.RawMessage {
	h.Headers, _ = f.visible(h.Headers)
	var hidden bool
	if h.Query, hidden = f.visible(h.Query); hidden {
		path, _, _ := strings.Cut(h.URL, "?")
		h.URL = path + "?" + url.Values(h.Query).Encode()
	}
	h.Auth = nil
	text, err := json.Marshal(withoutAuth(h))
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

// withoutAuth is the JSON of a handshake without the member auth, which the UI does not get.
type withoutAuth cluster.Handshake

// MarshalJSON implements json.Marshaler.
func (h withoutAuth) MarshalJSON() ([]byte, error) {
	text, err := cluster.Handshake(h).MarshalJSON()
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	delete(members, "auth")
	return json.Marshal(members)
}

// visible returns the values that are not hidden, and whether some are.
func (f *feed) visible(all map[string][]string) (out map[string][]string, hidden bool) {
	out = make(map[string][]string, len(all))
	for name, values := range all {
		if f.hidden[strings.ToLower(name)] {
			hidden = true
			continue
		}
		out[name] = values
	}
	return out, hidden
}
