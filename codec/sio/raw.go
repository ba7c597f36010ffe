package sio

import "bytes"

// Raw is one JSON value, or none if JSON is empty, with the attachments that
// its placeholders point to: Attachments[N] belongs to the placeholder with
// number N. With no attachments, objects that look like placeholders are just
// objects. Immutable once made, so safe to share; the zero value is no value.
//
// As an argument of the Append functions, or anywhere inside of one, it is
// written as it is, with its attachments renumbered; no value is null.
// [Unmarshal] into a *Raw takes a value as it is.
type Raw struct {
	JSON        []byte
	Attachments [][]byte
}

// Clone returns a Raw that shares no memory with r. Attachments that no
// placeholder points to are not copied, their places are nil.
func (r Raw) Clone() Raw {
	c := Raw{JSON: bytes.Clone(r.JSON)}
	if len(r.Attachments) == 0 {
		return c
	}
	c.Attachments = make([][]byte, len(r.Attachments))
	spans, _, err := r.placeholders()
	if err != nil {
		return c // no JSON, no placeholders
	}
	for _, s := range spans {
		if c.Attachments[s.num] == nil {
			c.Attachments[s.num] = append([]byte{}, r.Attachments[s.num]...)
		}
	}
	return c
}

// Unmarshal decodes r into dst, see the function [Unmarshal].
func (r Raw) Unmarshal(dst any) error { return Unmarshal(r.JSON, r.Attachments, dst) }

// MarshalJSON gives r.JSON, or null, to JSON encoders other than those of this
// package, such as a logger's. Placeholders stay, attachments are left out.
func (r Raw) MarshalJSON() ([]byte, error) {
	if len(r.JSON) == 0 {
		return []byte("null"), nil
	}
	return r.JSON, nil
}

// UnmarshalJSON makes r a copy of the JSON value b without attachments.
func (r *Raw) UnmarshalJSON(b []byte) error {
	*r = Raw{JSON: bytes.Clone(b)}
	return nil
}

// placeholders checks r.JSON, which must have no blanks around it, and finds
// the placeholders in it. end is where the value ends.
func (r Raw) placeholders() (spans []span, end int, err error) {
	found := placeholders{limit: len(r.Attachments), collect: true}
	end, err = scanValue(r.JSON, 0, MaxDepth, &found)
	return found.spans, end, err
}
