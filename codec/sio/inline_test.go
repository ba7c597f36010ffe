package sio

import (
	"errors"
	"strconv"
	"testing"
)

// Other JSON takes the place of placeholders, and only of those.
func TestInline(t *testing.T) {
	size := func(dst, attachment []byte) []byte { return strconv.AppendInt(dst, int64(len(attachment)), 10) }
	for _, test := range []struct {
		raw  Raw
		want string
		err  error
	}{
		{Raw{JSON: []byte(`["a",{"_placeholder":true,"num":1}]`)}, `["a",{"_placeholder":true,"num":1}]`, nil},
		{
			Raw{JSON: []byte(`[{"_placeholder":true,"num":1},{"x":{"_placeholder":true,"num":0}},"_placeholder"]`),
				Attachments: [][]byte{{}, {1, 2}}},
			`[2,{"x":0},"_placeholder"]`, nil,
		},
		{Raw{JSON: []byte(`[1`)}, "", ErrPacket},
		{Raw{}, "", ErrPacket},
		{Raw{JSON: []byte(`1 1`)}, "", ErrPacket},
		{Raw{JSON: []byte(`[1] `), Attachments: [][]byte{{}}}, "", ErrPacket},
		{Raw{JSON: []byte(`{"_placeholder":true,"num":1}`), Attachments: [][]byte{{}}}, "", ErrPacket},
	} {
		got, err := test.raw.Inline(size)
		if string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %s %v", test.raw.JSON, got, err)
		}
	}
}
