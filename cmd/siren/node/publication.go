package node

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server"
)

// roomsPerCall bounds the rooms of one event of a client.
const roomsPerCall = 100

// publication is the argument of publish.
type publication struct {
	event string
	args  []any
	// rooms are for whom it is, unless all is set.
	rooms  []string
	all    bool
	except []string
}

// The keys of a publication, as indexes of publicationKeys.
const (
	keyEvent = iota
	keyData
	keyArgs
	keyRoom
	keyRooms
	keyAll
	keyExcept
)

var publicationKeys = [...]string{
	keyEvent: "event", keyData: "data", keyArgs: "args",
	keyRoom: "room", keyRooms: "rooms", keyAll: "all", keyExcept: "except",
}

// readPublication reads the argument of publish. A message to everybody says so: a room that is missing, or misspelt,
// is an error.
func readPublication(in server.Raw) (publication, error) {
	var p publication
	var seen [len(publicationKeys)]bool
	err := members(in, func(name []byte, value server.Raw) error {
		i := slices.IndexFunc(publicationKeys[:], func(key string) bool { return string(name) == key })
		if i < 0 {
			keys := strings.Join(publicationKeys[:], ", ")
			return refusal(fmt.Sprintf("unknown key %.50q; the keys are %s", name, keys))
		}
		if seen[i] {
			return refusal(fmt.Sprintf("the key %q is there twice", name))
		}
		seen[i] = true
		return p.set(i, value)
	})
	toRooms := seen[keyRoom] || seen[keyRooms]
	switch {
	case err != nil:
		return p, err
	case seen[keyData] && seen[keyArgs]:
		return p, refusal("data and args exclude each other")
	case seen[keyRoom] && seen[keyRooms]:
		return p, refusal("room and rooms exclude each other")
	case p.all && toRooms:
		return p, refusal("all and room exclude each other")
	case !p.all && !toRooms:
		return p, refusal("the room is missing; all: true means everybody")
	}
	return p, checkName("event", p.event)
}

// set reads the value of one key.
func (p *publication) set(key int, value server.Raw) (err error) {
	name := publicationKeys[key]
	switch key {
	case keyEvent:
		p.event, err = textOf(name, value)
	case keyData:
		p.args = []any{value}
	case keyArgs:
		err = elements(name, value, func(arg server.Raw) error {
			p.args = append(p.args, arg)
			return nil
		})
	case keyRoom:
		var room string
		if room, err = textOf(name, value); err == nil {
			p.rooms, err = []string{room}, checkName("room", room)
		}
	case keyRooms:
		p.rooms, err = namesOf(name, value)
	case keyExcept:
		p.except, err = namesOf(name, value)
	case keyAll:
		if value.Unmarshal(&p.all) != nil {
			err = refusal("all must be true or false")
		}
	}
	return err
}

// members calls member for each member of an object. The values, and most names, are views of it.
func members(in server.Raw, member func(name []byte, value server.Raw) error) error {
	inside, ok := inside(in.JSON, '{', '}')
	if !ok {
		return refusal("the argument must be an object")
	}
	for len(inside) > 0 {
		// What separates names from values has one byte, as what separates elements.
		var key, value []byte
		key, inside = sio.NextArg(inside)
		value, inside = sio.NextArg(inside)
		name := key[1 : len(key)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			var plain string
			if err := (server.Raw{JSON: key}).Unmarshal(&plain); err != nil {
				return err
			}
			name = []byte(plain)
		}
		if err := member(name, server.Raw{JSON: value, Attachments: in.Attachments}); err != nil {
			return err
		}
	}
	return nil
}

// elements calls element for each element of a list. The values are views of it.
func elements(what string, in server.Raw, element func(value server.Raw) error) error {
	inside, ok := inside(in.JSON, '[', ']')
	if !ok {
		return refusal(fmt.Sprintf("%s must be a list", what))
	}
	for len(inside) > 0 {
		var value []byte
		value, inside = sio.NextArg(inside)
		if err := element(server.Raw{JSON: value, Attachments: in.Attachments}); err != nil {
			return err
		}
	}
	return nil
}

// inside returns what is between the brackets of a value, without blanks in front.
func inside(json []byte, open, end byte) ([]byte, bool) {
	if len(json) < 2 || json[0] != open || json[len(json)-1] != end {
		return nil, false
	}
	return bytes.TrimLeft(json[1:len(json)-1], " \t\r\n"), true
}

func textOf(what string, in server.Raw) (text string, err error) {
	if len(in.JSON) == 0 || in.JSON[0] != '"' || in.Unmarshal(&text) != nil {
		return "", refusal(fmt.Sprintf("the %s must be a string", what))
	}
	return text, nil
}

// namesOf reads the name of a room, or a list of names.
func namesOf(what string, in server.Raw) (names []string, err error) {
	wrong := refusal(fmt.Sprintf("the %s must be a string or a list of strings", what))
	add := func(value server.Raw) error {
		name, err := textOf(what, value)
		if err != nil {
			return wrong
		}
		if len(names) == roomsPerCall {
			return tooMany(roomsPerCall, "rooms at once")
		}
		names = append(names, name)
		return checkName("room", name)
	}
	if len(in.JSON) > 0 && in.JSON[0] == '[' {
		return names, elements(what, in, add)
	}
	return names, add(in)
}

func tooMany(limit int, what string) error {
	return refusal(fmt.Sprintf("more than %d %s", limit, what))
}

// checkName refuses names that no log or page could show.
func checkName(what, name string) error {
	switch {
	case pattern.Check(name) == nil:
		return nil
	case name == "" || len(name) > pattern.MaxBytes:
		return refusal(fmt.Sprintf("the %s name must have 1 to %d bytes", what, pattern.MaxBytes))
	case !utf8.ValidString(name):
		return refusal(fmt.Sprintf("the %s name is not valid UTF-8", what))
	case strings.ContainsFunc(name, unicode.IsControl):
		return refusal(fmt.Sprintf("the %s name has control characters", what))
	}
	return refusal(fmt.Sprintf("the %s name is not allowed", what))
}
