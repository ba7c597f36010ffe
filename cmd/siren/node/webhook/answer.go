package webhook

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
)

// Answer is what a backend said. Which fields have a meaning depends on the kind of the hook. The zero Answer is that
// of an empty body.
type Answer struct {
	// Allow says whether a client may connect.
	Allow bool
	// Message is what a client is told that may not; "" when the backend did not say.
	Message string
	// Data belongs to the socket of a client that may connect, or goes to one that may not. Nil when there is none.
	Data jsontext.Value
	// Rooms are those that a client joins which may connect.
	Rooms []string
	// Acked tells whether there is an acknowledgement for an event, and Ack has its arguments.
	Acked bool
	Ack   []jsontext.Value
	// Emit are the events that the backend wants to be sent.
	Emit []Emit
	// Wrong are the errors of what is wrong with single parts of the answer. Those parts are left out of the other
	// fields.
	Wrong []error
}

// Emit is an event that a backend wants to be sent.
type Emit struct {
	// Rooms and Except select its receivers. Rooms is nil when it was left out, and not nil when it is an empty list.
	Rooms, Except []string
	Event         string
	Args          []jsontext.Value
}

// ErrAnswer is wrapped by errors of answers that count as failures.
var ErrAnswer = errors.New("bad answer")

// parseAnswer reads the body of an answer with a status of 2xx. Errors wrap ErrAnswer.
func parseAnswer(kind Kind, text []byte) (*Answer, error) {
	a := new(Answer)
	var members map[string]jsontext.Value
	switch {
	case len(bytes.TrimSpace(text)) == 0:
	case jsontext.Value(text).Kind() != '{':
		return nil, fmt.Errorf("%w: it is no JSON object", ErrAnswer)
	default:
		if err := json.Unmarshal(text, &members); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
	}
	if kind == Connect {
		switch allow := members["allow"]; allow.Kind() {
		case 't':
			a.Allow = true
		case 'f':
		default:
			return nil, fmt.Errorf("%w: it has no boolean allow", ErrAnswer)
		}
	}
	a.parse(kind, members)
	return a, nil
}

// parse reads the members that a kind of hook has.
func (a *Answer) parse(kind Kind, members map[string]jsontext.Value) {
	switch {
	case kind == Event:
		if v, ok := members["ack"]; ok {
			a.Acked = part(a, "ack", v, &a.Ack)
		}
	case kind == Connect && a.Allow:
		a.Data = members["data"]
		a.parseRooms(members["rooms"])
	case kind == Connect:
		a.Data = members["data"]
		if v, ok := members["message"]; ok {
			part(a, "message", v, &a.Message)
		}
		return
	}
	if kind != Disconnect {
		a.parseEmits(members["emit"])
	}
}

// part decodes a member. It returns false, and notes the error, if that has a wrong kind.
func part(a *Answer, name string, v jsontext.Value, dst any) bool {
	err := strict(v, dst)
	if err != nil {
		a.Wrong = append(a.Wrong, fmt.Errorf("%s: %w", name, err))
	}
	return err == nil
}

// errNull is for null in the place of something else, which the decoder would take for the zero value.
var errNull = errors.New("it is null")

func strict(v jsontext.Value, dst any) error {
	if v.Kind() == 'n' {
		return errNull
	}
	return json.Unmarshal(v, dst, json.RejectUnknownMembers(true))
}

func (a *Answer) parseRooms(v jsontext.Value) {
	var all []jsontext.Value
	if v == nil || !part(a, "rooms", v, &all) {
		return
	}
	for i, v := range all {
		var room string
		if name := fmt.Sprintf("rooms[%d]", i); part(a, name, v, &room) {
			if err := pattern.Check(room); err != nil {
				a.Wrong = append(a.Wrong, fmt.Errorf("%s: %w", name, err))
				continue
			}
			a.Rooms = append(a.Rooms, room)
		}
	}
}

func (a *Answer) parseEmits(v jsontext.Value) {
	var all []jsontext.Value
	if v == nil || !part(a, "emit", v, &all) {
		return
	}
	for i, v := range all {
		e, err := parseEmit(v)
		if err != nil {
			a.Wrong = append(a.Wrong, fmt.Errorf("emit[%d]: %w", i, err))
			continue
		}
		a.Emit = append(a.Emit, e)
	}
}

func parseEmit(v jsontext.Value) (e Emit, err error) {
	var members struct {
		Rooms  jsontext.Value `json:"rooms"`
		Except jsontext.Value `json:"except"`
		Event  string         `json:"event"`
		Args   jsontext.Value `json:"args"`
	}
	if err = strict(v, &members); err != nil {
		return e, err
	}
	if e.Event = members.Event; pattern.Check(e.Event) != nil {
		return e, errors.New("event: no name of an event")
	}
	if e.Rooms, err = names("rooms", members.Rooms); err != nil {
		return e, err
	}
	if e.Except, err = names("except", members.Except); err != nil {
		return e, err
	}
	if members.Args != nil {
		if err = strict(members.Args, &e.Args); err != nil {
			return e, fmt.Errorf("args: %w", err)
		}
	}
	return e, nil
}

// maxRooms bounds the rooms of a selection, as the API does.
const maxRooms = 1000

// names is a list of rooms; nil if it was left out.
func names(field string, v jsontext.Value) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	var all []jsontext.Value
	if err := strict(v, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if len(all) > maxRooms {
		return nil, fmt.Errorf("%s: more than %d", field, maxRooms)
	}
	list := make([]string, len(all))
	for i, v := range all {
		err := strict(v, &list[i])
		if err == nil {
			err = pattern.Check(list[i])
		}
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", field, i, err)
		}
	}
	return list, nil
}
