// Package value converts between the values of Socket.IO, JSON with attachments, and the JSON that backends read and
// write, in which {"$binary":"BASE64"} stands for a binary attachment wherever a value may stand.
//
// All functions are safe for concurrent use. Their time is proportional to the length of the text, and numbers keep
// their spelling.
package value

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/server"
)

// The names of members that have a meaning. The second and third are Socket.IO's.
const (
	binaryName      = "$binary"
	placeholderName = "_placeholder"
	numberName      = "num"
)

// The reasons of an Error.
var (
	// ErrBinary: the value of $binary is not a string of standard base64 with padding (RFC 4648, section 4).
	ErrBinary = errors.New("it has to be a string of standard base64 with padding")
	// ErrBeside: an object with $binary has another member.
	ErrBeside = errors.New(`"$binary" has no other key beside it`)
	// ErrPlaceholder: an object looks like a placeholder of Socket.IO, which is not for backends.
	ErrPlaceholder = errors.New(`"_placeholder" is Socket.IO's own; use "$binary"`)
	// ErrTooMany: the text has more binary attachments than allowed.
	ErrTooMany = errors.New("too many binary values")
)

// Error tells where a value is wrong. It wraps the reason. Immutable.
type Error struct {
	// Path is the place in the value, as "[2].name.$binary"; empty for the value itself.
	Path string
	// Reason is one of this package's errors.
	Reason error
}

// Error returns the path and the reason.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Reason.Error()
	}
	return e.Path + ": " + e.Reason.Error()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

// Append appends a value as backends read it: null when it has no JSON. An object is a placeholder if it has the two
// members of one, and its attachment exists. The error is for a value that is no JSON.
func Append(dst []byte, v server.Raw) ([]byte, error) {
	if len(v.JSON) == 0 {
		return append(dst, "null"...), nil
	}
	if len(v.Attachments) == 0 {
		return append(dst, v.JSON...), nil
	}
	// The server has checked what clients send, which may have names twice.
	d := jsontext.NewDecoder(bytes.NewReader(v.JSON), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return rewrite(dst, v.JSON, d, func(dst []byte, o *object) ([]byte, error) {
		if !o.placeholder || o.members != 2 || o.number < 0 || o.number >= len(v.Attachments) {
			return dst, nil
		}
		dst = append(dst[:o.start], `{"`+binaryName+`":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, v.Attachments[o.number])
		return append(dst, `"}`...), nil
	})
}

// Special reports whether a text may have a binary value or a placeholder. Parse returns any other text as it is.
func Special(text []byte) bool {
	// An escape could hide one of the names.
	return bytes.Contains(text, []byte(binaryName)) || bytes.Contains(text, []byte(placeholderName)) ||
		bytes.Contains(text, []byte(`\u`))
}

// Parse reads a value that a backend wrote, with at most maxAttachments binary ones. The result shares no memory with
// text if there is an attachment. The error is an *Error, or text is no JSON.
func Parse(text []byte, maxAttachments int) (server.Raw, error) {
	if !Special(text) {
		if !jsontext.Value(text).IsValid() {
			return server.Raw{}, errors.New("no JSON")
		}
		return server.Raw{JSON: text}, nil
	}
	var v server.Raw
	var err error
	d := jsontext.NewDecoder(bytes.NewReader(text))
	v.JSON, err = rewrite(nil, text, d, func(dst []byte, o *object) ([]byte, error) {
		switch {
		case o.placeholder:
			return nil, &Error{pathOf(d), ErrPlaceholder}
		case !o.binary:
			return dst, nil
		case o.members != 1:
			return nil, &Error{pathOf(d), ErrBeside}
		case o.text == nil:
			return nil, &Error{pathOf(d) + "." + binaryName, ErrBinary}
		case len(v.Attachments) >= maxAttachments:
			return nil, &Error{pathOf(d) + "." + binaryName, ErrTooMany}
		}
		data, err := base64.StdEncoding.Strict().DecodeString(string(o.text))
		if err != nil || bytes.ContainsAny(o.text, "\r\n") { // which the decoder skips
			return nil, &Error{pathOf(d) + "." + binaryName, ErrBinary}
		}
		dst = append(dst[:o.start], `{"`+placeholderName+`":true,"`+numberName+`":`...)
		dst = strconv.AppendInt(dst, int64(len(v.Attachments)), 10)
		v.Attachments = append(v.Attachments, data)
		return append(dst, '}'), nil
	})
	if err != nil {
		return server.Raw{}, err
	}
	return v, nil
}

// nameMax bounds a name in a path, in bytes: paths are for one line of a person's screen.
const nameMax = 120

// pathOf returns the path of the value that was read last.
func pathOf(d *jsontext.Decoder) string {
	var path strings.Builder
	level := 0
	for token := range d.StackPointer().Tokens() {
		level++
		if kind, _ := d.StackIndex(level); kind == '[' {
			path.WriteString("[" + token + "]")
			continue
		}
		if len(token) > nameMax {
			token = strings.ToValidUTF8(token[:nameMax], "") + "…"
		}
		path.WriteString("." + token)
	}
	return path.String()
}

// object is an object or array that has not ended yet.
type object struct {
	start   int // its place in what was written
	array   bool
	members int // names, or values of an array
	// name is the member whose value comes next, if that has a meaning.
	name string
	// binary and placeholder tell that it has these members, the latter with the value true.
	binary, placeholder bool
	// text is the value of $binary if that is a string, number that of num or -1.
	text   []byte
	number int
}

// value notes a value of the object: its text if it is a scalar, else nil.
func (o *object) value(text []byte, kind jsontext.Kind) {
	if o.array {
		o.members++
		return
	}
	switch o.name {
	case binaryName:
		o.binary, o.text = true, nil
		if kind == '"' {
			o.text, _ = jsontext.AppendUnquote(nil, text)
			if o.text == nil {
				o.text = []byte{}
			}
		}
	case placeholderName:
		o.placeholder = kind == 't'
	case numberName:
		o.number = -1
		if n, err := strconv.Atoi(string(text)); err == nil && kind == '0' {
			o.number = n
		}
	}
}

// rewrite appends a JSON text, which d reads, without blanks. ended is called at the end of each object, innermost first, and may write
// something else in its place.
func rewrite(
	dst, text []byte, d *jsontext.Decoder, ended func(dst []byte, o *object) ([]byte, error),
) ([]byte, error) {
	var open []object
	for {
		kind := d.PeekKind()
		var at *object
		if len(open) > 0 {
			at = &open[len(open)-1]
		}
		if kind == '}' || kind == ']' {
			if _, err := d.ReadToken(); err != nil {
				return nil, err
			}
			dst = append(dst, byte(kind))
			o := open[len(open)-1]
			open = open[:len(open)-1]
			if !o.array {
				var err error
				if dst, err = ended(dst, &o); err != nil {
					return nil, err
				}
			}
		} else {
			named := at == nil || at.array // a value stands here, not a name
			if at != nil && !named {
				named = at.name != ""
			}
			var err error
			if dst, open, err = step(dst, d, open, kind, named); err != nil {
				return nil, err
			}
		}
		if len(open) == 0 {
			break
		}
	}
	if rest := text[d.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("text behind the value")
	}
	return dst, nil
}

// other is the name of members without a meaning.
const other = "\x00"

// step copies a name, a scalar, or the beginning of an object or array.
func step(dst []byte, d *jsontext.Decoder, open []object, kind jsontext.Kind, value bool) ([]byte, []object, error) {
	var at *object
	if len(open) > 0 {
		at = &open[len(open)-1]
	}
	if at != nil && at.members > 0 && (at.array || !value) {
		dst = append(dst, ',')
	}
	if kind == '{' || kind == '[' {
		if _, err := d.ReadToken(); err != nil {
			return nil, nil, err
		}
		if at != nil {
			at.value(nil, kind)
			at.name = ""
		}
		open = append(open, object{start: len(dst), array: kind == '[', number: -1})
		return append(dst, byte(kind)), open, nil
	}
	text, err := d.ReadValue()
	if err != nil {
		return nil, nil, err
	}
	dst = append(dst, text...)
	switch {
	case at == nil:
	case value:
		at.value(text, kind)
		at.name = ""
	default:
		at.members++
		at.name = meaning(text)
		dst = append(dst, ':')
	}
	return dst, open, nil
}

// meaning is the name of a member, or other.
func meaning(quoted []byte) string {
	if name, err := jsontext.AppendUnquote(nil, quoted); err == nil {
		switch string(name) {
		case binaryName, placeholderName, numberName:
			return string(name)
		}
	}
	return other
}
