package main

import (
	"fmt"
	"strings"
	"testing"
)

// What clients send and get, over a real connection.
func TestBroadcastEvents(t *testing.T) {
	n := startNode(t)
	c := n.dial(t)
	other := n.dial(t)
	for _, step := range []struct{ send, answer string }{
		{`["join","r"]`, `[{"status":"ok"}]`},
		{`["join","r"]`, `[{"status":"ok"}]`},
		{`["join",["s","t"]]`, `[{"status":"ok"}]`},
		{`["leave","s"]`, `[{"status":"ok"}]`},
		{`["leave","never joined"]`, `[{"status":"ok"}]`},
		{`["join"]`, `[{"error":"the rooms must be a string or a list of strings"}]`},
		{`["join",""]`, `[{"error":"the room name must have 1 to 128 bytes"}]`},
		{`["join","a\u0001"]`, `[{"error":"the room name has control characters"}]`},
		{`["leave",5]`, `[{"error":"the rooms must be a string or a list of strings"}]`},
		{fmt.Sprintf(`["join",%q]`, other.id), `[{"error":"the room is a client's own"}]`},
		{fmt.Sprintf(`["join",%q]`, c.id), `[{"status":"ok"}]`},
		{`["join","r","s"]`, `[{"error":"further arguments are not allowed"}]`},
		{`["leave","r",null]`, `[{"error":"further arguments are not allowed"}]`},
		{`["publish"]`, `[{"error":"the argument must be an object"}]`},
		{`["publish","text"]`, `[{"error":"the argument must be an object"}]`},
		{`["publish",{"room":"r"},{"event":"e"}]`, `[{"error":"further arguments are not allowed"}]`},
		{`["publish",{"event":"e","data":1}]`, `[{"error":"the room is missing; all: true means everybody"}]`},
		{`["publish",{"event":"e","rooom":"r"}]`,
			`[{"error":"unknown key \"rooom\"; the keys are event, data, args, room, rooms, all, except"}]`},
		{`["publish",{"event":"connect","data":1,"all":true}]`, `[{"error":"the event name is reserved"}]`},
		{`["publish",{"event":"token","room":"r"}]`, `[{"error":"the event name is reserved"}]`},
		{`["publish",{"event":"token-expiring","room":"r"}]`, `[{"error":"the event name is reserved"}]`},
		{`["publish",{"event":"e","rooms":[]}]`, `[{"status":"ok","count":0}]`},
		{`["publish",{"event":"e","all":true,"except":"r","args":[1,2]}]`, `[{"status":"ok","count":2}]`},
		{`["hello"]`, `[{"error":"unknown event"}]`},
		{`["Join","r"]`, `[{"error":"unknown event"}]`},
		{`["count"]`, `[{"error":"unknown event"}]`},
		{`["publish",{"event":"disconnect","room":"r"}]`, `[{"error":"the event name is reserved"}]`},
		{`["publish",{"event":"count","data":99,"all":true}]`, `[{"error":"the event name is reserved"}]`},
		{`["publish",{"event":"e","room":""}]`, `[{"error":"the room name must have 1 to 128 bytes"}]`},
		{`["publish",{"event":"e","room":7}]`, `[{"error":"the room must be a string"}]`},
		{`["publish",{"event":"e","room":"nobody is here","data":1}]`, `[{"status":"ok","count":0}]`},
	} {
		if got := c.ask(t, step.send); got != step.answer {
			t.Errorf("%s: %s, want %s", step.send, got, step.answer)
		}
	}
}

// With recovery, nobody reads what is sent to a client that is away: its id stays its own.
func TestIDsOfClientsThatAreAway(t *testing.T) {
	n := startNode(t, "--recovery", "1m")
	away, spy := n.dial(t), n.dial(t)
	const refused = `[{"error":"the room is a client's own"}]`
	join := fmt.Sprintf(`["join",%q]`, away.id)
	if got := spy.ask(t, join); got != refused {
		t.Errorf("while it is there: %s", got)
	}
	_ = away.conn.Close()
	for spy.count = 2; spy.count != 1; {
		spy.count, _ = countOf(spy.next(t))
	}
	if got := spy.ask(t, join); got != refused {
		t.Errorf("while it is away: %s", got)
	}
	if got := spy.ask(t, fmt.Sprintf(`["join",["r",%q]]`, away.id)); got != refused {
		t.Errorf("in a list: %s", got)
	}
	if got := spy.ask(t, `["publish",{"event":"e","room":"r"}]`); got != `[{"status":"ok","count":0}]` {
		t.Errorf("it is in the rest of the list: %s", got)
	}
}

// A socket in as many rooms as it may be in is refused one more, and all of a
// list that does not fit.
func TestTooManyRooms(t *testing.T) {
	c := startNode(t).dial(t)
	const roomsMax, roomsPerCall = 1000, 100
	for i := range roomsMax / roomsPerCall {
		names := make([]string, roomsPerCall)
		for j := range names {
			names[j] = fmt.Sprintf("%q", fmt.Sprintf("%d-%d", i, j))
		}
		if i == roomsMax/roomsPerCall-1 {
			names = names[1:]
		}
		if got := c.ask(t, `["join",[`+strings.Join(names, ",")+`]]`); got != `[{"status":"ok"}]` {
			t.Fatalf("join %d: %s", i, got)
		}
	}
	for _, step := range []struct{ send, answer string }{
		{`["join",["x","y"]]`, `[{"error":"more than 1000 rooms"}]`},
		{`["publish",{"event":"e","room":"x"}]`, `[{"status":"ok","count":0}]`},
		{`["join","y"]`, `[{"status":"ok"}]`},
		{`["join","z"]`, `[{"error":"more than 1000 rooms"}]`},
	} {
		if got := c.ask(t, step.send); got != step.answer {
			t.Errorf("%s: %s, want %s", step.send, got, step.answer)
		}
	}
}

// Relayed to the room with the sender in it, byte for byte, and to
// nobody else; without a room to everybody.
func TestPublish(t *testing.T) {
	n := startNode(t)
	a, b, out := n.dial(t), n.dial(t), n.dial(t)
	for _, c := range []*client{a, b} {
		if got := c.ask(t, `["join","r"]`); got != `[{"status":"ok"}]` {
			t.Fatal(got)
		}
	}
	const data = `{"text":"<b>\u00fc</b>","n":12345678901234567890,"list":[null,true]}`
	if got := a.ask(t, `["publish",{"room":"r","event":"news","data":`+data+`}]`); got != `[{"status":"ok","count":2}]` {
		t.Error(got)
	}
	for _, c := range []*client{a, b} {
		if got, want := c.event(t), `["news",`+data+`]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := b.ask(t, `["publish",{"event":"all","all":true}]`); got != `[{"status":"ok","count":3}]` {
		t.Error(got)
	}
	// For the one outside of the room it is the first thing it hears.
	for _, c := range []*client{a, b, out} {
		if got := c.event(t); got != `["all"]` {
			t.Errorf("got %s", got)
		}
	}
	b.ask(t, `["leave","r"]`)
	if got := a.ask(t, `["publish",{"room":"r","event":"rest","data":null}]`); got != `[{"status":"ok","count":1}]` {
		t.Error(got)
	}
	if got := a.event(t); got != `["rest",null]` {
		t.Errorf("got %s", got)
	}
	// A socket's id is its own room.
	a.ask(t, fmt.Sprintf(`["publish",{"room":%q,"event":"you","data":1}]`, out.id))
	if got := out.event(t); got != `["you",1]` {
		t.Errorf("got %s", got)
	}
	a.send(t, `451-2["publish",{"room":"r","event":"bin","data":{"b":{"_placeholder":true,"num":0}}}]`)
	a.sendBinary(t, []byte{0, 255, 7})
	if got := a.nextButCount(t); got != `451-["bin",{"b":{"_placeholder":true,"num":0}}]` {
		t.Errorf("got %s", got)
	}
	if got := a.next(t); got != "\x00\xff\x07" {
		t.Errorf("got %q", got)
	}
}

// The count comes with the connection, and again when it has changed.
func TestCountEvent(t *testing.T) {
	n := startNode(t)
	a := n.dial(t)
	if a.count != 1 {
		t.Errorf("the first socket is told %d", a.count)
	}
	b := n.dial(t)
	if b.count != 2 {
		t.Errorf("the second socket is told %d", b.count)
	}
	a.waitCount(t, 2)
	_ = b.conn.Close()
	a.waitCount(t, 1)
}
