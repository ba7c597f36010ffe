package client

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// still is a transport that nothing comes from.
type still struct {
	sent   []string
	closed bool
}

func (s *still) read() ([]byte, bool, error) { return nil, false, errors.New("nothing comes") }
func (s *still) write(packet []byte) error   { s.sent = append(s.sent, string(packet)); return nil }
func (s *still) expire(time.Time)            {}
func (s *still) close()                      { s.closed = true }

// session returns an open session without a server, and the names of the events that it gets.
func session(namespace string) (*Client, *still, *[]string) {
	w, events := &still{}, &[]string{}
	c := &Client{
		o: &Options{URL: &url.URL{Scheme: "http", Host: "h"}, Namespace: namespace}, wire: w, done: make(chan struct{}),
		acks: make(map[uint64]func([]byte, time.Time)),
		handle: func(e *Event) {
			*events = append(*events, string(e.Name)+"("+string(e.Args)+")")
		},
	}
	c.prefix = eventPrefix(c.o.namespace())
	return c, w, events
}

func TestPackets(t *testing.T) {
	for _, tt := range []struct {
		namespace, packet string
		events, sent, err string
	}{
		{"/", `42["a",1,{"b":2}]`, `a(1,{"b":2})`, "", ""},
		{"/", `42["a"]`, `a()`, "", ""},
		{"/chat", `42/chat,["a",1]`, `a(1)`, "", ""},
		{"/chat", `42["a",1]`, "", "", ""}, // of another namespace
		{"/", `427["a"]`, `a()`, "", ""},
		{"/", `451-["a",{"_placeholder":true,"num":0}]`, `a({"_placeholder":true,"num":0})`, "", ""},
		{"/", `2`, "", `3`, ""},
		{"/", `2probe`, "", `3probe`, ""},
		{"/", `6`, "", "", ""},
		{"/", `439["late"]`, "", "", ""},
		{"/", `1`, "", "", "the server's close packet"},
		{"/", `41`, "", "", "a DISCONNECT of the server"},
		{"/", `4x`, "", "", "expected a packet of Socket.IO 5"},
		{"/", `9`, "", "", `got the packet "9"`},
		{"/", ``, "", "", "an empty message"},
	} {
		c, w, events := session(tt.namespace)
		err := c.take([]byte(tt.packet), false, time.Now())
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", tt.packet, err)
		}
		if got := strings.Join(*events, " "); got != tt.events || strings.Join(w.sent, " ") != tt.sent {
			t.Errorf("%s: events %q, sent %q", tt.packet, got, w.sent)
		}
	}
}

// An acknowledgement is taken once, and not after the end.
func TestAcknowledgements(t *testing.T) {
	c, w, _ := session("/chat")
	var got []string
	for range 2 {
		if err := c.Emit("say", []byte(`"x"`), func(args []byte, _ time.Time) { got = append(got, string(args)) }); err != nil {
			t.Fatal(err)
		}
	}
	if want := `42/chat,0["say","x"] 42/chat,1["say","x"]`; strings.Join(w.sent, " ") != want {
		t.Errorf("sent %q", w.sent)
	}
	for _, packet := range []string{`43/chat,1["b"]`, `43/chat,1["again"]`, `43/chat,7[]`} {
		if err := c.take([]byte(packet), false, time.Now()); err != nil {
			t.Error(err)
		}
	}
	c.end(ErrClosed)
	if err := c.take([]byte(`43/chat,0["late"]`), false, time.Now()); err != nil || len(got) != 1 || got[0] != `"b"` || !w.closed {
		t.Errorf("%v, %q, closed %v", err, got, w.closed)
	}
	c.end(errors.New("later"))
	if !errors.Is(c.Err(), ErrClosed) {
		t.Error(c.Err())
	}
}

func FuzzPackets(f *testing.F) {
	for _, p := range []string{`42["a",1]`, `451-["a",{"_placeholder":true,"num":0}]`, `430[]`, `44{"message":"x"}`, `2`, `0{"sid":"x"}`} {
		f.Add([]byte(p), false)
	}
	f.Fuzz(func(t *testing.T, packet []byte, binary bool) {
		c, _, _ := session("/")
		if err := c.take(packet, binary, time.Now()); err != nil && !errors.As(err, new(*Fault)) {
			t.Errorf("%q: %v is no fault", packet, err)
		}
		if len(packet) > 0 && !binary {
			if joined, err := c.joining(packet, "an answer"); joined && err != nil {
				t.Errorf("%q: joined, and %v", packet, err)
			}
		}
	})
}

// What a foreign text contributes to an error is short and shows in one line.
func TestFaultsShowNoControlCharacters(t *testing.T) {
	f := RefusedHTTP(&Options{URL: &url.URL{Scheme: "http", Host: "h"}}, "x", 500, []byte("a\x1b[31m\n\xffb"+strings.Repeat("c", 500)))
	if text := f.Error(); strings.ContainsAny(text, "\x1b\n") || len(text) > 300 {
		t.Errorf("%q", text)
	}
}
