package sio

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// A packet encoded as head and payload equals the packet encoded at once, and ParsePayload agrees with Parse.
func TestPayloads(t *testing.T) {
	for _, test := range []struct {
		nsp  string
		id   int64
		args []any
	}{
		{"/", -1, nil}, {"/", 0, []any{1, "x"}}, {"/chat", 12, []any{[]byte("a"), map[string]any{"b": []byte("b")}}}, {"/a", 1<<53 - 1, []any{nil, []any{}}},
		{"", -1, []any{strings.Repeat("x", 300), bytes.Repeat([]byte{1}, 300)}},
	} {
		for _, typ := range []Type{Event, Ack} {
			whole, atts, err := AppendEvent(nil, test.nsp, test.id, "e", test.args)
			payload, atts2, err2 := AppendEventPayload([]byte("before"), "e", test.args)
			if typ == Ack {
				whole, atts, err = AppendAck(nil, test.nsp, uint64(max(test.id, 0)), test.args)
				payload, atts2, err2 = AppendAckPayload([]byte("before"), test.args)
				test.id = max(test.id, 0)
			}
			if err != nil || err2 != nil || !reflect.DeepEqual(atts, atts2) {
				t.Fatal(err, err2, atts, atts2)
			}
			payload = bytes.TrimPrefix(payload, []byte("before"))
			head := AppendHead(nil, typ, len(atts), test.nsp, test.id)
			if got := string(head) + string(payload); got != string(whole) {
				t.Errorf("got %s, want %s", got, whole)
			}
			var want Packet
			if err := Parse(whole, nil, &want); err != nil {
				t.Fatal(err)
			}
			got := Packet{Type: typ, HasID: want.HasID, ID: want.ID, Attachments: len(atts), Namespace: want.Namespace}
			if err := ParsePayload(&got, payload, nil); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v, %v; want %+v", whole, got, err, want)
			}
		}
	}
	for _, head := range []struct {
		t    Type
		want string
	}{{Connect, "0/x,"}, {Disconnect, "1/x,"}, {ConnectError, "4/x,"}} {
		if got := string(AppendHead(nil, head.t, 0, "/x", -1)); got != head.want {
			t.Errorf("got %s, want %s", got, head.want)
		}
	}
}

func TestParsePayload(t *testing.T) {
	const ph = `{"_placeholder":true,"num":0}`
	for _, test := range []struct {
		p       Packet
		payload string
		err     error
	}{
		{Packet{Type: Connect}, "", nil}, {Packet{Type: Connect}, "{}", nil}, {Packet{Type: Connect}, "[]", errPayload},
		{Packet{Type: Connect, Attachments: 1}, "{}", errAttachments}, {Packet{Type: ConnectError, Attachments: 1}, "{}", errAttachments},
		{Packet{Type: Disconnect}, "", nil}, {Packet{Type: Disconnect}, "{}", errPayload}, {Packet{Type: ConnectError}, `"x"`, nil},
		{Packet{Type: ConnectError}, "", errNoPayload}, {Packet{Type: Event}, "", errNoPayload}, {Packet{Type: Event}, "[]", errEventName},
		{Packet{Type: Event}, `["disconnect"]`, errEventReserved}, {Packet{Type: Event}, `["e",]`, errJSON}, {Packet{Type: Event}, `["e"]x`, errJSON},
		{Packet{Type: Event}, `["e",` + ph + `]`, nil}, {Packet{Type: Event, Attachments: 1}, `["e",` + ph + `]`, nil},
		{Packet{Type: Ack, Attachments: 1}, `[{"_placeholder":true,"num":1}]`, errBadPlaceholder}, {Packet{Type: Ack}, " [ ] ", nil},
		{Packet{Type: Event, Attachments: DefaultAttachments + 1}, `["e"]`, errMany}, {Packet{Type: typeCount}, `["e"]`, errType},
		{Packet{Type: Event, HasID: true, ID: maxID + 1}, `["e"]`, errID}, {Packet{Type: Event, Namespace: bytes.Repeat([]byte("x"), 513)}, `["e"]`, errNamespace},
		{Packet{Type: Event, Namespace: []byte("/a?" + strings.Repeat("x", 513))}, `["e"]`, errNamespace},
		{Packet{Type: Event}, `["e",` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `]`, errDepth},
	} {
		p := test.p
		if err := ParsePayload(&p, []byte(test.payload), nil); !errors.Is(err, test.err) || err != nil && !errors.Is(err, ErrPacket) {
			t.Errorf("%v %.40s: got %v, want %v", test.p.Type, test.payload, err, test.err)
		}
	}
	p := Packet{Type: Connect, Namespace: []byte("/a?b=c")}
	if err := ParsePayload(&p, nil, nil); err != nil || string(p.Namespace) != "/a" || string(p.Query) != "b=c" {
		t.Error(err, p)
	}
}

func TestEffectiveLimits(t *testing.T) {
	want := Limits{DefaultAttachments, DefaultAttachmentBytes, DefaultDepth, DefaultNamespaceBytes, DefaultArgs}
	if got := (*Limits)(nil).Effective(); got != want {
		t.Error(got)
	}
	if got := (&Limits{Depth: 3}).Effective(); got.Depth != 3 || got.Args != DefaultArgs {
		t.Error(got)
	}
}
