package msgpack

import (
	"encoding/json"
	"errors"
	"testing"
)

// A Decoder reads nested values one by one, with numbers as texts and timestamps as dates.
func TestDecoder(t *testing.T) {
	var b []byte
	b = AppendMap(b, 3)
	b = AppendText(b, "list")
	b = AppendArray(b, 3)
	b = AppendText(AppendUint(AppendText(b, "a"), 101), "z")
	b = AppendText(b, "on")
	b = AppendBool(b, true)
	b = AppendText(b, "data")
	b, err := AppendValue(b, []byte(`["e",{"_placeholder":true,"num":0}]`), [][]byte{{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(b, nil)
	n, err := d.Map()
	if n != 3 || err != nil || !d.IsText() {
		t.Fatal(n, err)
	}
	name, _ := d.Text()
	n, err = d.Array()
	first, _ := d.Text()
	second, _ := d.Text()
	if name != "list" || n != 3 || err != nil || first != "a" || second != "101" {
		t.Fatal(name, n, err, first, second)
	}
	if err := d.Skip(); err != nil {
		t.Fatal(err)
	}
	_, _ = d.Text()
	if on, err := d.Bool(); !on || err != nil {
		t.Fatal(on, err)
	}
	_, _ = d.Text()
	text, attachments, err := d.Value()
	if string(text) != `["e",{"_placeholder":true,"num":0}]` || len(attachments) != 1 || err != nil || d.End() != nil {
		t.Fatal(string(text), attachments, err)
	}
}

// Timestamps of all three lengths become texts, others of the type stay arrays.
func TestDecoderTimestamps(t *testing.T) {
	for in, want := range map[string]string{
		"d7ff1d5353006553f100":           `"2023-11-14T22:13:20.123Z"`,
		"d6ff6553f100":                   `"2023-11-14T22:13:20.000Z"`,
		"c70cff00000000ffffffffffffffff": `"1969-12-31T23:59:59.000Z"`,
		"c70cff000000007fffffffffffffff": `null`,
		"d4ff01":                         `[-1,{"_placeholder":true,"num":0}]`,
		"d70000000000000003e8":           `"1970-01-01T00:00:01.000Z"`,
	} {
		text, _, err := NewDecoder(unhex(t, in), nil).Value()
		if string(text) != want || err != nil {
			t.Errorf("%s: %s %v, want %s", in, text, err, want)
		}
	}
}

// Values of other types than the expected one, and truncated ones, are errors.
func TestDecoderErrors(t *testing.T) {
	reads := map[string]func(d *Decoder) error{
		"array": func(d *Decoder) error { _, err := d.Array(); return err },
		"map":   func(d *Decoder) error { _, err := d.Map(); return err },
		"text":  func(d *Decoder) error { _, err := d.Text(); return err },
		"uint":  func(d *Decoder) error { _, err := d.Uint(); return err },
		"bool":  func(d *Decoder) error { _, err := d.Bool(); return err },
	}
	for _, in := range []string{"", "c0", "c1", "ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "cf0000"} {
		for name, read := range reads {
			if err := read(NewDecoder(unhex(t, in), nil)); !errors.Is(err, ErrPacket) {
				t.Errorf("%s of %q: %v", name, in, err)
			}
		}
	}
	deep := make([]byte, 100_000)
	for i := range deep {
		deep[i] = 0x91
	}
	if err := NewDecoder(deep, nil).Skip(); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if err := NewDecoder([]byte{1, 2}, nil).End(); !errors.Is(err, ErrPacket) {
		t.Error(err)
	}
}

// FuzzDecoder checks that any message is either JSON or an error, in memory of a bounded size.
func FuzzDecoder(f *testing.F) {
	for _, test := range written {
		f.Add(unhex(f, test.message))
	}
	f.Add(unhex(f, "d7ff1d5353006553f100"))
	f.Fuzz(func(t *testing.T, message []byte) {
		text, attachments, err := NewDecoder(message, nil).Value()
		if err != nil {
			if !errors.Is(err, ErrPacket) {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(text) || len(text) > 6*len(message)+40*len(attachments) {
			t.Fatalf("%q", text)
		}
		again, err := AppendValue(nil, text, attachments)
		if err != nil {
			t.Fatal(err)
		}
		if err := NewDecoder(again, nil).Skip(); err != nil {
			t.Fatal(err)
		}
	})
}
