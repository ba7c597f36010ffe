package token

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
)

// Claims is what a verified token says. Immutable; nil are those of a client without a token, which allow everything.
// Claims are small, because each connection with a token keeps its own: nearly all of it is the text of the claims,
// which its strings share.
type Claims struct {
	text  string
	lists *lists // nil when the token has none of them
}

// lists are those of the claim "siren". A nil one was left out.
type lists struct {
	namespaces, join, publish pattern.List
	rooms                     []string
}

// maxTime is the end of the year 9999. A later time is a mistake, such as milliseconds in the place of seconds.
const maxTime = 253402300799

// Subject returns the claim "sub", which is the user; "" when there is none. The string shares the memory of Text if
// nothing in it is escaped.
func (c *Claims) Subject() (subject string) {
	_ = c.find("sub", func(value string, kind jsontext.Kind) (err error) {
		subject, err = stringOf(value, kind)
		return err
	})
	return subject
}

// Text returns all claims as JSON, as they are in the token.
func (c *Claims) Text() string { return c.text }

// Issued returns when the token was issued; the zero Time when it does not say so.
func (c *Claims) Issued() time.Time { t, _ := c.time("iat"); return t }

// Expires returns the claim "exp", without leeway; the zero Time when the token has none, and never expires.
func (c *Claims) Expires() time.Time { t, _ := c.time("exp"); return t }

// time is the time of a claim; the zero Time when there is none.
func (c *Claims) time(name string) (t time.Time, err error) {
	err = c.find(name, func(value string, kind jsontext.Kind) (err error) {
		t, err = timeOf(value, kind)
		return err
	})
	return t, err
}

// find calls found with the claim of that name, if there is one. Errors are those of found.
func (c *Claims) find(name string, found func(value string, kind jsontext.Kind) error) error {
	return object(c.text, func(member, value string, kind jsontext.Kind) error {
		if member != name {
			return nil
		}
		return found(value, kind)
	})
}

// AllowsNamespace reports whether the token may be used in the namespace.
func (c *Claims) AllowsNamespace(name string) bool {
	return c == nil || c.lists == nil || c.lists.namespaces == nil || c.lists.namespaces.Match(name)
}

// AllowsJoin reports whether the token lets its client join the room, as far as the namespace's rule does.
func (c *Claims) AllowsJoin(room string) bool {
	return c == nil || c.lists == nil || c.lists.join == nil || c.lists.join.Match(room)
}

// AllowsPublish reports whether the token lets its client publish to the room, as far as the namespace's rule does.
func (c *Claims) AllowsPublish(room string) bool {
	return c == nil || c.lists == nil || c.lists.publish == nil || c.lists.publish.Match(room)
}

// AllowsPublishToAll reports whether the token lets its client publish to everybody. A list for publishing must have *
// for that.
func (c *Claims) AllowsPublishToAll() bool {
	return c == nil || c.lists == nil || c.lists.publish == nil || c.lists.publish.All()
}

// MayBeIn reports whether the token lets its client be in the room: to join it, or because it is one of Rooms.
func (c *Claims) MayBeIn(room string) bool {
	return c.AllowsJoin(room) || slices.Contains(c.Rooms(), room)
}

// Rooms returns the rooms that the client joins when it connects. The caller must not change the slice.
func (c *Claims) Rooms() []string {
	if c == nil || c.lists == nil {
		return nil
	}
	return c.lists.rooms
}

// Data returns the claim siren.data as JSON; nil when there is none. The slice is the caller's.
func (c *Claims) Data() jsontext.Value {
	var data jsontext.Value
	if c == nil {
		return nil
	}
	_ = c.find("siren", func(value string, _ jsontext.Kind) error {
		return object(value, func(name, value string, _ jsontext.Kind) error {
			if name == "data" {
				data = jsontext.Value(value)
			}
			return nil
		})
	})
	return data
}

// UnmarshalJSON reads the claims of a token. Errors: JSON with invalid UTF-8 or a name twice, a value of a wrong kind,
// a time out of range, a bad pattern or name of a room.
func (c *Claims) UnmarshalJSON(text []byte) error {
	parsed := Claims{text: string(text)}
	if err := object(parsed.text, parsed.claim); err != nil {
		return err
	}
	*c = parsed
	return nil
}

func (c *Claims) claim(name, value string, kind jsontext.Kind) (err error) {
	switch name {
	case "sub":
		_, err = stringOf(value, kind)
	case "exp", "iat", "nbf":
		_, err = timeOf(value, kind)
	case "siren":
		c.lists, err = listsOf(value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func listsOf(text string) (*lists, error) {
	var l lists
	found := false
	err := object(text, func(name, value string, kind jsontext.Kind) (err error) {
		var list *pattern.List
		switch name {
		case "namespaces":
			list = &l.namespaces
		case "join":
			list = &l.join
		case "publish":
			list = &l.publish
		case "rooms":
			list = (*pattern.List)(&l.rooms)
		default:
			return nil
		}
		found = true
		if *list, err = listOf(value, kind); err == nil {
			err = list.Check()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil || !found {
		return nil, err
	}
	return &l, nil
}

// errKind is for a claim whose value is of a wrong kind.
var errKind = errors.New("value of a wrong kind")

// object calls member for each member of an object, with views of the text. Errors: text is no object, or not the JSON
// of RFC 8259 with unique names; those of member.
func object(text string, member func(name, value string, kind jsontext.Kind) error) error {
	d := jsontext.NewDecoder(strings.NewReader(text))
	if d.PeekKind() != '{' {
		return errKind
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, _, err := next(d, text)
		if err != nil {
			return err
		}
		if name, err = unquote(name); err != nil {
			return err
		}
		value, kind, err := next(d, text)
		if err != nil {
			return err
		}
		if err := member(name, value, kind); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// next is the next value, as a view of the text.
func next(d *jsontext.Decoder, text string) (value string, kind jsontext.Kind, err error) {
	kind = d.PeekKind()
	v, err := d.ReadValue()
	if err != nil {
		return "", 0, err
	}
	end := int(d.InputOffset())
	return text[end-len(v) : end], kind, nil
}

// unquote is the string that JSON says, a view of it when nothing is escaped.
func unquote(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text[1 : len(text)-1], nil
	}
	b, err := jsontext.AppendUnquote(nil, text)
	return string(b), err
}

func stringOf(value string, kind jsontext.Kind) (string, error) {
	if kind != '"' {
		return "", errKind
	}
	return unquote(value)
}

// listOf is a list of strings; it is not nil.
func listOf(value string, kind jsontext.Kind) ([]string, error) {
	if kind != '[' {
		return nil, errKind
	}
	d := jsontext.NewDecoder(strings.NewReader(value))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	list := []string{}
	for d.PeekKind() != ']' {
		v, kind, err := next(d, value)
		if err != nil {
			return nil, err
		}
		s, err := stringOf(v, kind)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// timeOf is a NumericDate (RFC 7519 section 2), to the millisecond. It is never the zero Time.
func timeOf(value string, kind jsontext.Kind) (time.Time, error) {
	if kind != '0' {
		return time.Time{}, errKind
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || seconds > maxTime {
		return time.Time{}, fmt.Errorf("%s is no time in seconds before the year 10000", value)
	}
	return time.UnixMilli(int64(math.Ceil(max(seconds, 0) * 1000))), nil
}

// What follows implements jwt.Claims for the claims that the library checks.

// GetExpirationTime implements jwt.Claims.
func (c *Claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.date("exp") }

// GetIssuedAt implements jwt.Claims.
func (c *Claims) GetIssuedAt() (*jwt.NumericDate, error) { return c.date("iat") }

// GetNotBefore implements jwt.Claims.
func (c *Claims) GetNotBefore() (*jwt.NumericDate, error) { return c.date("nbf") }

func (c *Claims) date(name string) (*jwt.NumericDate, error) {
	t, err := c.time(name)
	if err != nil || t.IsZero() {
		return nil, err
	}
	return &jwt.NumericDate{Time: t}, nil
}

// GetSubject implements jwt.Claims.
func (c *Claims) GetSubject() (string, error) { return c.Subject(), nil }

// GetIssuer implements jwt.Claims.
func (c *Claims) GetIssuer() (issuer string, err error) {
	err = c.find("iss", func(value string, kind jsontext.Kind) (err error) {
		issuer, err = stringOf(value, kind)
		return err
	})
	return issuer, err
}

// GetAudience implements jwt.Claims. The claim may be a string or a list of them.
func (c *Claims) GetAudience() (audience jwt.ClaimStrings, err error) {
	err = c.find("aud", func(value string, kind jsontext.Kind) error {
		if kind == '[' {
			list, err := listOf(value, kind)
			audience = list
			return err
		}
		one, err := stringOf(value, kind)
		audience = jwt.ClaimStrings{one}
		return err
	})
	return audience, err
}
