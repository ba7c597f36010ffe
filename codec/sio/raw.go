package sio

import "bytes"

// Raw is one JSON value with the attachments that its placeholders refer to:
// Attachments[N] belongs to the placeholder with number N. Without attachments, objects
// that look like placeholders are ordinary objects. Immutable once made, so safe to
// share. The zero value is no value.
//
// As an argument of the Append functions, or anywhere inside one, it is written
// unchanged except that its attachments are renumbered; no value becomes null.
// [Unmarshal] into a *Raw stores the value undecoded.
type Raw struct {
	JSON        []byte
	Attachments [][]byte
}

// Clone returns a Raw that shares no memory with r. Attachments without a placeholder
// are not copied; their entries are nil.
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

// Unmarshal decodes r into dst, like the function [Unmarshal].
func (r Raw) Unmarshal(dst any) error { return Unmarshal(r.JSON, r.Attachments, dst) }

// MarshalJSON returns r.JSON, or null, for other JSON encoders, such as a logger's.
// Placeholders stay, and attachments are omitted.
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

// placeholders checks r.JSON, which must have no blanks around it, and returns its
// placeholders. end is the end of the value.
func (r Raw) placeholders() (spans []span, end int, err error) {
	found := placeholders{limit: len(r.Attachments), collect: true}
	end, err = scanValue(r.JSON, 0, MaxDepth, &found)
	return found.spans, end, err
}

// Inline returns r.JSON with other JSON in place of the placeholders: that which value appends to dst for each
// attachment. Errors wrap [ErrPacket]: r.JSON is not JSON, or a placeholder has no attachment.
func (r Raw) Inline(value func(dst, attachment []byte) []byte) ([]byte, error) {
	if len(r.Attachments) == 0 {
		if !Valid(r.JSON, MaxDepth) {
			return nil, errJSON
		}
		return r.JSON, nil
	}
	spans, end, err := r.placeholders()
	if err != nil {
		return nil, err
	}
	if end != len(r.JSON) {
		return nil, errJSON
	}
	out, at := make([]byte, 0, 2*len(r.JSON)), 0
	for _, s := range spans {
		out = value(append(out, r.JSON[at:s.start]...), r.Attachments[s.num])
		at = s.end
	}
	return append(out, r.JSON[at:]...), nil
}
