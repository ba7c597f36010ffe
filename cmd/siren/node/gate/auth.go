package gate

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// auth is a client's auth payload, taken apart.
type auth struct {
	// token is nil when there is none, or it is null.
	token jsontext.Value
	// rest is an object with everything but the token, and what the protocol itself puts there for connections that
	// come back: secrets, too.
	rest jsontext.Value
	err  error
}

func splitAuth(text []byte) auth {
	if len(text) == 0 || jsontext.Value(text).Kind() != '{' {
		return auth{rest: jsontext.Value("{}")}
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil {
		return auth{err: errors.New("its auth payload has a name twice, or invalid UTF-8")}
	}
	var a auth
	if t := members["token"]; t.Kind() != 'n' {
		a.token = t
	}
	for _, name := range [...]string{"token", "pid", "offset"} {
		delete(members, name)
	}
	a.rest, a.err = json.Marshal(members, json.Deterministic(true))
	return a
}

// kept is what the socket keeps of its auth payload: nothing when there was only the token.
func (a *auth) kept() []byte {
	if string(a.rest) == "{}" {
		return nil
	}
	return a.rest
}
