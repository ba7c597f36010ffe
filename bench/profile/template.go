package profile

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Placeholders besides the columns of the data.
const (
	placeUser     = "user"     // number of the user, from 1
	placeSequence = "sequence" // number of the publication, from 0
	placeTime     = "time"     // when it was due, in microseconds since 1970
	placeMark     = "mark"     // a text with both, which is found again in whatever event it comes back
	placePad      = "pad"      // {{pad:N}}: N times x
)

// padMax bounds the length of a filling.
const padMax = 16 << 20

var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// piece is a part of a template: a literal, or what a placeholder stands for.
type piece struct {
	literal string
	place   string // "" for a literal
	quoted  bool   // the value stands within a JSON text
}

// template makes JSON, or plain text, for a user and a publication. Immutable.
type template struct{ pieces []piece }

// values are what placeholders stand for.
type values struct {
	user     int // from 0
	sequence int
	micros   int64
	tag      string // of the run, for marks
	row      map[string]string
}

// markPrefix begins every mark; the tag of the run follows.
const markPrefix = "siren:"

// appendMark appends the text that stands for a publication.
func appendMark(dst []byte, v *values) []byte {
	dst = append(append(append(dst, markPrefix...), v.tag...), ':')
	dst = append(strconv.AppendInt(dst, int64(v.sequence), 10), ':')
	return append(strconv.AppendInt(dst, v.micros, 10), ';')
}

// compileJSON compiles any value of YAML. A text that is a single {{user}}, {{sequence}} or {{time}} becomes a number.
func compileJSON(v any, columns []string) (*template, error) {
	t := &template{}
	err := t.value(v, columns)
	return t, err
}

// compileList compiles values to a list without brackets.
func compileList(list []any, columns []string) (*template, error) {
	t := &template{}
	for i, v := range list {
		if i > 0 {
			t.add(piece{literal: ","})
		}
		if err := t.value(v, columns); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// compileText compiles a text that is no JSON.
func compileText(text string, columns []string) (*template, error) {
	t := &template{}
	return t, t.text(text, columns, false)
}

// add appends a piece, to the literal before it if possible.
func (t *template) add(p piece) {
	if n := len(t.pieces); p.place == "" && n > 0 && t.pieces[n-1].place == "" {
		t.pieces[n-1].literal += p.literal
		return
	}
	t.pieces = append(t.pieces, p)
}

func (t *template) value(v any, columns []string) error {
	switch v := v.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(v); m != nil && m[0] == v && isNumber(m[1]) {
			t.add(piece{place: m[1]})
			return nil
		}
		t.add(piece{literal: `"`})
		if err := t.text(v, columns, true); err != nil {
			return err
		}
		t.add(piece{literal: `"`})
	case []any:
		t.add(piece{literal: "["})
		for i, item := range v {
			if i > 0 {
				t.add(piece{literal: ","})
			}
			if err := t.value(item, columns); err != nil {
				return err
			}
		}
		t.add(piece{literal: "]"})
	case map[string]any:
		t.add(piece{literal: "{"})
		for i, key := range sorted(v) {
			if i > 0 {
				t.add(piece{literal: ","})
			}
			t.add(piece{literal: quoteJSON(key) + ":"})
			if err := t.value(v[key], columns); err != nil {
				return err
			}
		}
		t.add(piece{literal: "}"})
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("%v cannot be sent as JSON", v)
		}
		t.add(piece{literal: string(text)})
	}
	return nil
}

func isNumber(place string) bool {
	return place == placeUser || place == placeSequence || place == placeTime
}

// text splits a text into pieces.
func (t *template) text(text string, columns []string, quoted bool) error {
	literal := func(s string) {
		if quoted {
			s = strings.TrimSuffix(strings.TrimPrefix(quoteJSON(s), `"`), `"`)
		}
		t.add(piece{literal: s})
	}
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		literal(text[at:m[0]])
		at = m[1]
		name := text[m[2]:m[3]]
		if size, ok := strings.CutPrefix(name, placePad+":"); ok {
			n, err := strconv.Atoi(size)
			if err != nil || n < 0 || n > padMax {
				return fmt.Errorf("{{%s}}: want a length from 0 to %d", name, padMax)
			}
			t.add(piece{literal: strings.Repeat("x", n)})
			continue
		}
		if !slices.Contains([]string{placeUser, placeSequence, placeTime, placeMark}, name) && !slices.Contains(columns, name) {
			return fmt.Errorf("{{%s}} is unknown: want user, sequence, time, mark, pad:N%s", name, orColumns(columns))
		}
		t.add(piece{place: name, quoted: quoted})
	}
	literal(text[at:])
	return nil
}

// orColumns lists the columns of the data for an error.
func orColumns(columns []string) string {
	if len(columns) == 0 {
		return ", or a column of connect.data"
	}
	return ", or a column of the data: " + strings.Join(columns, ", ")
}

// has reports whether the template has one of these placeholders.
func (t *template) has(places ...string) bool {
	return t != nil && slices.ContainsFunc(t.pieces, func(p piece) bool {
		return p.place != "" && slices.Contains(places, p.place)
	})
}

// append appends the template with values.
func (t *template) append(dst []byte, v *values) []byte {
	for i := range t.pieces {
		p := &t.pieces[i]
		switch p.place {
		case "":
			dst = append(dst, p.literal...)
		case placeUser:
			dst = strconv.AppendInt(dst, int64(v.user)+1, 10)
		case placeSequence:
			dst = strconv.AppendInt(dst, int64(v.sequence), 10)
		case placeTime:
			dst = strconv.AppendInt(dst, v.micros, 10)
		case placeMark:
			dst = appendMark(dst, v)
		default:
			text := v.row[p.place]
			if p.quoted {
				quoted := quoteJSON(text)
				text = quoted[1 : len(quoted)-1]
			}
			dst = append(dst, text...)
		}
	}
	return dst
}

// text returns the template with values as text.
func (v *values) text(t *template) string { return string(t.append(nil, v)) }

// quoteJSON returns a JSON text.
func quoteJSON(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""` // no string fails
	}
	return string(text)
}
