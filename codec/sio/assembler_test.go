package sio

import (
	"bytes"
	"errors"
	"testing"
	"unsafe"
)

// A binary event is complete with its last attachment and owns its memory.
func TestAssembler(t *testing.T) {
	text := []byte(`53-/a?q=1,7["na\u006de",{"_placeholder":true,"num":2},1]`)
	var p Packet
	if err := Parse(text, nil, &p); err != nil {
		t.Fatal(err)
	}
	var a Assembler
	if a.Pending() {
		t.Fatal("pending at first")
	}
	a.Begin(text, &p)
	clear(text) // the copy must not notice
	check := func(p Packet) {
		t.Helper()
		if string(p.Namespace) != "/a" || string(p.Query) != "q=1" || string(p.Event) != "name" || p.ID != 7 || p.NArgs != 2 ||
			string(p.Args) != `{"_placeholder":true,"num":2},1` || string(p.Data) != `["na\u006de",`+string(p.Args)+`]` {
			t.Fatalf("%+v", p)
		}
	}
	check(p)
	for i, data := range []string{"one", "", "three"} {
		if !a.Pending() {
			t.Fatal("not pending")
		}
		if _, list := a.Take(); list != nil {
			t.Fatal("taken too early")
		}
		buf := []byte(data)
		done, err := a.Add(buf, nil)
		if err != nil || done != (i == 2) {
			t.Fatal(done, err)
		}
		clear(buf)
	}
	if a.Pending() {
		t.Fatal("still pending")
	}
	p, list := a.Take()
	check(p)
	if len(list) != 3 || string(list[0]) != "one" || list[1] == nil || len(list[1]) != 0 || string(list[2]) != "three" {
		t.Fatalf("%q", list)
	}
	if p, list := a.Take(); p.Data != nil || list != nil {
		t.Fatal("taken twice")
	}
}

func TestAssemblerViews(t *testing.T) {
	for _, text := range []string{
		`51-["x"]`, `51-/n,["x"]`, `61-/n?,1[]`, `61-[ ]`, `51-["\u0041"]`, `51-[1.0]`, ` 51-["x",1]`[1:], `51-[""]`, `50-/n?q,["",{}]`,
	} {
		buf := append([]byte(text), "tail that is not part of it"...)[:len(text)]
		var before, after Packet
		if err := Parse(buf, nil, &before); err != nil {
			t.Fatal(text, err)
		}
		want := mustParse(t, text)
		after = before
		var a Assembler
		a.Begin(buf, &after)
		clear(buf)
		for i, v := range [][2][]byte{
			{want.Namespace, after.Namespace}, {want.Query, after.Query}, {want.Data, after.Data}, {want.Event, after.Event}, {want.Args, after.Args},
		} {
			if !bytes.Equal(v[0], v[1]) || (v[0] == nil) != (v[1] == nil) {
				t.Errorf("%q: view %d is %q, want %q", text, i, v[1], v[0])
			}
		}
	}
}

func TestAssemblerWithoutAttachments(t *testing.T) {
	text := []byte(`50-["x"]`)
	p := mustParse(t, string(text))
	var a Assembler
	a.Begin(text, &p)
	if a.Pending() {
		t.Fatal("pending")
	}
	if p, list := a.Take(); string(p.Event) != "x" || len(list) != 0 {
		t.Fatal(p, list)
	}
}

// Limits, and attachments that no packet announced.
func TestAssemblerErrors(t *testing.T) {
	text := []byte(`52-["x"]`)
	var a Assembler
	refuse := func(lim *Limits, data []byte) {
		t.Helper()
		if done, err := a.Add(data, lim); done || !errors.Is(err, ErrAttachments) || !errors.Is(err, ErrPacket) {
			t.Fatal(done, err)
		}
		if a.Pending() || a.pending != nil {
			t.Fatal("something is left")
		}
	}
	refuse(nil, nil)
	lim := &Limits{AttachmentBytes: 5}
	p := mustParse(t, string(text))
	a.Begin(text, &p)
	if _, err := a.Add(make([]byte, 3), lim); err != nil {
		t.Fatal(err)
	}
	if done, err := a.Add(make([]byte, 2), lim); err != nil || !done {
		t.Fatal(done, err)
	}
	refuse(lim, nil) // a third one
	a.Begin(text, &p)
	if _, err := a.Add(make([]byte, 3), lim); err != nil {
		t.Fatal(err)
	}
	refuse(lim, make([]byte, 3))
	a.Begin(text, &p)
	refuse(nil, make([]byte, DefaultAttachmentBytes+1))
	a.Begin(text, &p)
	a.Reset()
	refuse(nil, []byte("x"))
	if size := unsafe.Sizeof(a); size > 64 {
		t.Errorf("an idle Assembler has %d bytes", size)
	}
}

// A header that announces many attachments allocates almost nothing.
func TestAssemblerPromise(t *testing.T) {
	text := []byte(`51000000-["x"]`)
	var p Packet
	if err := Parse(text, &Limits{Attachments: 1_000_000}, &p); err != nil {
		t.Fatal(err)
	}
	var a Assembler
	a.Begin(text, &p)
	if c := cap(a.pending.attachments); c > attachmentsAhead {
		t.Error(c)
	}
}
