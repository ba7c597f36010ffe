package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// decoder decodes the body of one call. There are two kinds of error. A body that is not JSON ends everything. A field that
// is wrong ends the object that it belongs to, and the rest of that is skipped: in a batch the other events go on.
type decoder struct {
	dec  *jsontext.Decoder
	in   bytes.Buffer
	body []byte
	// index is that of the event of a batch; -1 outside of one.
	index int
}

var decoders = sync.Pool{New: func() any { return &decoder{dec: jsontext.NewDecoder(bytes.NewReader(nil))} }}

// decode decodes the body of a call that has these fields, of which some are required. The result refers to body.
func decode(body []byte, allowed, required fieldSet) (*request, *problem.Problem) {
	d := decoders.Get().(*decoder)
	defer d.release()
	d.body, d.index = body, -1
	d.in = *bytes.NewBuffer(body)
	d.dec.Reset(&d.in)
	r := &request{limit: limitDefault, timeout: timeoutDefault * time.Millisecond}
	bad, err := d.object(r, allowed, required)
	if err == nil {
		err = d.end()
	}
	switch {
	case err != nil:
		return nil, d.syntax(err)
	case bad != nil:
		return nil, bad
	}
	return r, nil
}

func (d *decoder) release() {
	d.body, d.in = nil, bytes.Buffer{}
	d.dec.Reset(bytes.NewReader(nil))
	decoders.Put(d)
}

// errNotObject and errMore are JSON, but not that of a call.
var (
	errNotObject = errors.New("the body has to be a JSON object")
	errMore      = errors.New("something stands behind the object")
)

// end makes sure that nothing but blanks stands behind the object.
func (d *decoder) end() error {
	switch _, err := d.dec.ReadToken(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return errMore
}

// fatal is an error of the whole body: it has no meaning, or too much. field is where it is.
type fatal struct {
	error
	field string
}

// syntax is the problem of a body that cannot be read.
func (d *decoder) syntax(err error) *problem.Problem {
	var f fatal
	at := ""
	if errors.As(err, &f) {
		at, err = f.field, f.error
	}
	if strings.Contains(err.Error(), "max depth") {
		return problem.Field(problem.BadField, at, fmt.Sprintf("it is nested deeper than %d levels", depthMax))
	}
	detail := "it is not JSON"
	var s *jsontext.SyntacticError
	switch {
	case err == errNotObject, err == errMore:
		detail = err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		detail = "it ends too early"
	case errors.Is(err, jsontext.ErrDuplicateName):
		detail = "an object has a key twice"
		if errors.As(err, &s) {
			detail += ", " + strconv.Quote(shorten(s.JSONPointer.LastToken()))
		}
	case errors.As(err, &s):
		detail = fmt.Sprintf("byte %d: %s", s.ByteOffset, shorten(s.Err.Error()))
	}
	return problem.Field(problem.BadJSON, at, detail)
}

// shorten keeps a text that came from the body within a line.
func shorten(s string) string {
	const most = 120
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// path is the path of a field.
func (d *decoder) path(name string) string {
	if d.index < 0 {
		return name
	}
	return fmt.Sprintf("emits[%d].%s", d.index, name)
}

// pathOf is where the name of a member cannot be read: a key that is there twice is told.
func (d *decoder) pathOf(err error) string {
	var s *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &s):
		return d.path(shorten(s.JSONPointer.LastToken()))
	case d.index >= 0:
		return fmt.Sprintf("emits[%d]", d.index)
	}
	return ""
}

// object decodes an object with these fields.
func (d *decoder) object(r *request, allowed, required fieldSet) (bad *problem.Problem, err error) {
	if k := d.dec.PeekKind(); k != '{' {
		if err := d.dec.SkipValue(); err != nil {
			return nil, err
		}
		if d.index >= 0 {
			return problem.Field(problem.BadField, fmt.Sprintf("emits[%d]", d.index), "it has to be an object"), nil
		}
		return nil, errNotObject
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, err
	}
	for d.dec.PeekKind() != '}' {
		f, name, err := d.name()
		if err != nil {
			return nil, fatal{err, d.pathOf(err)}
		}
		switch {
		case bad != nil:
			err = d.dec.SkipValue()
		case !allowed.has(f):
			bad = problem.Field(problem.BadField, d.path(shorten(name)), "there is no such field")
			err = d.dec.SkipValue()
		default:
			r.given |= 1 << f
			bad, err = d.value(r, f)
		}
		if err != nil {
			if errors.As(err, new(fatal)) {
				return nil, err
			}
			return nil, fatal{err, d.path(shorten(name))}
		}
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, err
	}
	if bad == nil {
		for f := range (required &^ r.given).all {
			return problem.Field(problem.BadField, d.path(fieldSpecs[f].name), "it is missing"), nil
		}
	}
	return bad, nil
}

// name reads the name of a member: a field, or any name that is none.
func (d *decoder) name() (field, string, error) {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return fields, "", err
	}
	if raw.Kind() != '"' {
		return fields, "", jsontext.ErrNonStringName
	}
	if f, ok := fieldNames[string(raw[1:len(raw)-1])]; ok {
		return f, fieldSpecs[f].name, nil
	}
	name := unquote(raw)
	if f, ok := fieldNames[name]; ok {
		return f, name, nil
	}
	return fields, name, nil
}

// unquote is the text of a valid JSON string.
func unquote(raw jsontext.Value) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	out, _ := jsontext.AppendUnquote(nil, raw)
	return string(out)
}

// value decodes the value of a field.
func (d *decoder) value(r *request, f field) (bad *problem.Problem, err error) {
	switch f {
	case fieldRooms:
		r.rooms, bad, err = d.names(f, nameMax)
	case fieldUsers:
		r.users, bad, err = d.names(f, userMax)
	case fieldExcept:
		r.except, bad, err = d.names(f, nameMax)
	case fieldTo:
		r.to, bad, err = d.names(f, nameMax)
	case fieldArgs:
		r.args, bad, err = d.array(f)
	case fieldEmits:
		bad, err = d.emits(r)
	default:
		raw, err := d.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if detail := r.scalar(f, raw); detail != "" {
			bad = problem.Field(problem.BadField, d.path(fieldSpecs[f].name), detail)
		}
		return bad, nil
	}
	return bad, err
}

// scalar sets a field that is no list. It returns what is wrong, or "".
func (r *request) scalar(f field, raw jsontext.Value) (wrong string) {
	switch f {
	case fieldNamespace:
		r.namespace, wrong = text(raw, 1, math.MaxInt)
	case fieldEvent:
		r.event, wrong = name(raw, nameMax)
	case fieldUser:
		r.user, wrong = name(raw, userMax)
	case fieldCursor:
		r.cursor, wrong = text(raw, 0, cursorMax)
	case fieldPrefix:
		r.prefix, wrong = text(raw, 0, prefixMax)
	case fieldHistory:
		r.history, wrong = boolean(raw)
	case fieldVolatile:
		r.volatile, wrong = boolean(raw)
	case fieldLocal:
		r.local, wrong = boolean(raw)
	case fieldClose:
		r.close, wrong = boolean(raw)
	case fieldTimeout:
		var ms int
		ms, wrong = integer(raw, 1, drainMax)
		r.timeout = time.Duration(ms) * time.Millisecond
	case fieldSpread:
		var ms int
		ms, wrong = integer(raw, 0, drainMax)
		r.spread = time.Duration(ms) * time.Millisecond
	case fieldLimit:
		r.limit, wrong = integer(raw, 1, repliesMax)
	case fieldBefore:
		r.before, wrong = instant(raw)
	}
	return wrong
}

// kindOf names the kind of a value that is not wanted.
func kindOf(raw jsontext.Value) string {
	switch raw.Kind() {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	}
	return "a list"
}

// text is a string of so many bytes.
func text(raw jsontext.Value, least, most int) (s, wrong string) {
	if raw.Kind() != '"' {
		return "", "it has to be a string and is " + kindOf(raw)
	}
	s = unquote(raw)
	if len(s) < least || len(s) > most {
		return "", fmt.Sprintf("it has to have %d to %d bytes and has %d", least, most, len(s))
	}
	return s, ""
}

// name is the name of something.
func name(raw jsontext.Value, most int) (s, wrong string) {
	if s, wrong = text(raw, 1, most); wrong == "" && hasControl(s) {
		return "", "it has control characters"
	}
	return s, wrong
}

func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return strings.IndexFunc(s, unicode.IsControl) >= 0
		}
	}
	return false
}

func boolean(raw jsontext.Value) (b bool, wrong string) {
	switch raw.Kind() {
	case 't':
		return true, ""
	case 'f':
		return false, ""
	}
	return false, "it has to be true or false and is " + kindOf(raw)
}

// integer is a whole number from least to most.
func integer(raw jsontext.Value, least, most int) (n int, wrong string) {
	if raw.Kind() != '0' {
		return 0, "it has to be a number and is " + kindOf(raw)
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < least || n > most {
		return 0, notWithin(least, most)
	}
	return n, ""
}

// notWithin says what a number has to be.
func notWithin(least, most int) string {
	return fmt.Sprintf("it has to be a whole number from %d to %d", least, most)
}

// instant is a time: RFC 3339, or seconds since 1970.
func instant(raw jsontext.Value) (t time.Time, wrong string) {
	const what = "it has to be a time as in RFC 3339, or seconds since 1970"
	switch raw.Kind() {
	case '"':
		t, err := time.Parse(time.RFC3339, unquote(raw))
		if err != nil {
			return t, what
		}
		return t, ""
	case '0':
		s, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || s < 0 || s > 1<<40 {
			return t, what
		}
		whole, part := math.Modf(s)
		return time.Unix(int64(whole), int64(part*1e9)), ""
	}
	return t, what
}

// names decodes a list of names. What is too much, or wrong, is read and not kept.
func (d *decoder) names(f field, most int) (all []string, bad *problem.Problem, err error) {
	path := fieldSpecs[f].name
	if k := d.dec.PeekKind(); k != '[' {
		raw, err := d.dec.ReadValue()
		if err != nil {
			return nil, nil, err
		}
		return nil, problem.Field(problem.BadField, d.path(path), "it has to be a list and is "+kindOf(raw)), nil
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	for i := 0; d.dec.PeekKind() != ']'; i++ {
		raw, err := d.dec.ReadValue()
		if err != nil {
			return nil, nil, fatal{err, d.path(fmt.Sprintf("%s[%d]", path, i))}
		}
		switch {
		case bad != nil:
			continue
		case i == selectionMax:
			bad = problem.Field(problem.BadField, d.path(path), fmt.Sprintf("it has more than %d entries", selectionMax))
			continue
		}
		s, wrong := name(raw, most)
		if wrong != "" {
			bad = problem.Field(problem.BadField, d.path(fmt.Sprintf("%s[%d]", path, i)), wrong)
		}
		all = append(all, s)
	}
	_, err = d.dec.ReadToken()
	return all, bad, err
}

// array reads a list, and returns the part of the body that it is.
func (d *decoder) array(f field) (part []byte, bad *problem.Problem, err error) {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return nil, nil, err
	}
	if raw.Kind() != '[' {
		return nil, problem.Field(problem.BadField, d.path(fieldSpecs[f].name), "it has to be a list and is "+kindOf(raw)), nil
	}
	end := int(d.dec.InputOffset())
	return d.body[end-len(raw) : end : end], nil, nil
}

// emits decodes the events of a batch.
func (d *decoder) emits(r *request) (bad *problem.Problem, err error) {
	path := fieldSpecs[fieldEmits].name
	if k := d.dec.PeekKind(); k != '[' {
		raw, err := d.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		return problem.Field(problem.BadField, path, "it has to be a list and is "+kindOf(raw)), nil
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, err
	}
	defer func() { d.index = -1 }()
	for d.index = 0; d.dec.PeekKind() != ']'; d.index++ {
		if d.index >= emitsMax {
			if bad == nil {
				bad = problem.Field(problem.BadField, path, fmt.Sprintf("it has more than %d entries", emitsMax))
				r.emits = nil
			}
			if err := d.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		r.emits = append(r.emits, element{})
		e := &r.emits[d.index]
		wrong, err := d.object(&e.request, emitFields, emitRequired)
		if err != nil {
			return nil, err
		}
		if wrong != nil {
			e.bad = wrong
		}
	}
	_, err = d.dec.ReadToken()
	return bad, err
}
