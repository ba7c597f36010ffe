package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/parser"
)

// wordParser is a parser of many messages: "event /ns name", each argument a message of its own, "end". It is odd on
// purpose: nothing of it looks like the default one.
type wordParser struct{ resets *int }

var errWords = errors.New("not my words")

func (wordParser) Encode(p *parser.Packet, send func([]byte, bool)) error {
	if strings.Contains(string(p.Data), "unspeakable") {
		return errWords
	}
	if strings.Contains(string(p.Data), "panic") {
		panic("no words")
	}
	if strings.Contains(string(p.Data), "silence") {
		return nil
	}
	if strings.Contains(string(p.Data), "separator") {
		send([]byte("a\x1eb"), false)
		return nil
	}
	id := ""
	if p.HasID {
		id = strconv.FormatUint(p.ID, 10)
	}
	buf := fmt.Appendf(nil, "%s %s %s", p.Type, p.Namespace, id)
	send(buf, false)
	copy(buf, "xxxxxxxxxxxx") // the message is not kept
	send(p.Data, false)
	for _, a := range p.Attachments {
		send(a, true)
	}
	return nil
}

func (w wordParser) NewDecoder(lim parser.Limits) parser.Decoder {
	return &wordDecoder{resets: w.resets}
}

type wordDecoder struct {
	p      *parser.Packet
	args   []string
	resets *int
}

func (d *wordDecoder) Decode(message []byte, binary bool, p *parser.Packet) (bool, error) {
	word := string(message)
	if d.p == nil {
		f := strings.Split(word, " ")
		if len(f) < 2 {
			return false, errWords
		}
		d.p = &parser.Packet{Namespace: f[1]}
		switch f[0] {
		case "connect":
			d.p.Type, d.p.Data = parser.Connect, []byte(f[2])
		case "event":
			d.p.Type, d.args = parser.Event, []string{strconv.Quote(f[2])}
		case "ask":
			d.p.Type, d.args, d.p.HasID, d.p.ID = parser.Event, []string{strconv.Quote(f[2])}, true, 1<<uint(len(f)*10)
		case "ack":
			d.p.Type, d.p.HasID = parser.Ack, true
			d.p.ID, _ = strconv.ParseUint(f[2], 10, 64)
		case "bad":
			*p = parser.Packet{Type: parser.Type(len(f) + 3), Namespace: "/", Data: []byte("[" + strings.Join(f[2:], ",")), HasID: true, ID: 1 << 60}
			return true, nil
		default:
			return false, errWords
		}
		return false, nil
	}
	if word != "end" {
		if binary {
			d.args = append(d.args, fmt.Sprintf(`{"_placeholder":true,"num":%d}`, len(d.p.Attachments)))
			d.p.Attachments = append(d.p.Attachments, []byte(word))
		} else {
			d.args = append(d.args, word)
		}
		return false, nil
	}
	*p = *d.p
	if p.Type != parser.Connect {
		p.Data = []byte("[" + strings.Join(d.args, ",") + "]")
	}
	d.p, d.args = nil, nil
	return true, nil
}

func (d *wordDecoder) Reset() {
	if d.resets != nil {
		*d.resets++
	}
}

// feed feeds frames one by one.
func feed(c *pollertest.Conn, frames ...[]byte) {
	for _, f := range frames {
		c.Feed(f)
	}
}

// dialRecorded is dial with a connection that keeps its frames.
func (r *rig) dialRecorded() *pollertest.Conn {
	c := pollertest.NewConn(r.loop.Loop, nil)
	c.SetReceiver(r.srv.host.Engine().Accept(c, 0))
	c.Feed(bytes.Clone(handshake))
	c.TakeFrames()
	return c
}

// payloads returns the messages of recorded frames, those of text without their type.
func payloads(c *pollertest.Conn) (out []string) {
	for _, f := range c.TakeFrames() {
		body := f[2:]
		if f[0]&0x0f == 1 {
			body = body[1:]
		}
		out = append(out, string(body))
	}
	return out
}

func wordRig(t *testing.T) (*rig, *pollertest.Conn, *Socket, *int) {
	resets := new(int)
	r := newRig(t, Config{Parser: wordParser{resets}})
	c := r.dialRecorded()
	feed(c, packet(`connect / {"a":1}`), packet("end"))
	s := r.socket(t)
	if got := payloads(c); len(got) != 2 || got[0] != "CONNECT / " || got[1] != `{"sid":"`+s.ID()+`"}` {
		t.Fatalf("%q", got)
	}
	if string(s.Handshake().RawAuth()) != `{"a":1}` {
		t.Error(string(s.Handshake().RawAuth()))
	}
	return r, c, s, resets
}

// Any parser, with any number of messages for a packet, carries all packets both ways.
func TestParserSeam(t *testing.T) {
	r, c, s, resets := wordRig(t)
	ns := r.srv.root
	ns.On("echo", func(_ context.Context, m *Message) {
		if err := m.Ack(m.Args()...); err != nil {
			t.Error(err)
		}
	}, Inline())
	expect := func(want ...string) {
		t.Helper()
		r.loop.run()
		if got := payloads(c); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	feed(c, packet("ask / echo"), packet("1"), attachment("bytes"), packet(`{"a":[]}`), packet("end"))
	expect("ACK / 1073741824", `[1,{"_placeholder":true,"num":0},{"a":[]}]`, "bytes")
	if err := s.Emit("e", 1, []byte{1, 2}, "x"); err != nil {
		t.Error(err)
	}
	expect("EVENT / ", `["e",1,{"_placeholder":true,"num":0},"x"]`, "\x01\x02")
	if n, err := ns.Emit("all", true); n != 1 || err != nil {
		t.Error(n, err)
	}
	expect("EVENT / ", `["all",true]`)

	answered := make(chan Reply, 1)
	if err := s.EmitAck(context.Background(), "q", func(r Reply, err error) { answered <- r }); err != nil {
		t.Error(err)
	}
	expect("EVENT / 0", `["q"]`)
	feed(c, packet("ack / 0"), packet("7"), packet("end"))
	var n int
	if err := (<-answered).Decode(&n); err != nil || n != 7 {
		t.Error(n, err)
	}

	feed(c, packet("connect /none {}"), packet("end"))
	expect("CONNECT_ERROR /none ", `{"message":"Invalid namespace"}`)
	s.Disconnect(true)
	expect("DISCONNECT / ", "", "") // the last one is a close packet
	if *resets != 1 || s.Connected() {
		t.Error(*resets)
	}
}

// A prepared event has its frame by each parser.
func TestParserPrepared(t *testing.T) {
	r, c, s, _ := wordRig(t)
	plain := newRig(t, Config{})
	other := plain.dialRecorded()
	other.Feed(packet("0"))
	plain.loop.run()
	other.TakeFrames()
	p, err := Prepare("e", []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.EmitPrepared(p); err != nil {
			t.Error(err)
		}
		if _, err := plain.srv.root.EmitPrepared(p); err != nil {
			t.Error(err)
		}
		r.loop.run()
		plain.loop.run()
		if got := payloads(c); !slices.Equal(got, []string{"EVENT / ", `["e",{"_placeholder":true,"num":0}]`, "b"}) {
			t.Errorf("%q", got)
		}
		if got := payloads(other); !slices.Equal(got, []string{`51-["e",{"_placeholder":true,"num":0}]`, "b"}) {
			t.Errorf("%q", got)
		}
	}
	if p, err = Prepare("unspeakable"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.srv.root.EmitPrepared(p); !errors.Is(err, errWords) || !errors.Is(err, ErrEncode) {
		t.Error(err)
	}
	if err := s.EmitPrepared(p); !errors.Is(err, errWords) {
		t.Error(err)
	}
}

// An error of a parser is an error of Emit. A refusal that the parser cannot encode still refuses the client.
func TestParserFails(t *testing.T) {
	r, c, s, _ := wordRig(t)
	for word, want := range map[string]error{
		"unspeakable": errWords, "panic": ErrPanic, "silence": packets.ErrNoMessage, "separator": packets.ErrNotForText,
	} {
		if err := s.Emit("e", word); !errors.Is(err, want) || !errors.Is(err, ErrEncode) {
			t.Errorf("%s: %v", word, err)
		}
		if _, err := r.srv.root.Emit("e", word); !errors.Is(err, want) {
			t.Errorf("%s: %v", word, err)
		}
	}
	if err := s.Emit("e", 1); err != nil || !s.Connected() {
		t.Error(err)
	}
	r.loop.run()
	c.TakeFrames()

	entered := false
	refused := make(chan struct{})
	ns := r.srv.Of("/refuses")
	ns.Use(func(context.Context, *Socket) error { defer close(refused); return Refuse("unspeakable", nil) })
	ns.OnConnect(func(context.Context, *Socket) error { entered = true; return nil })
	feed(c, packet("connect /refuses {}"), packet("end"))
	<-refused
	for s.Connected() {
		r.loop.run()
	}
	if entered || ns.SocketCount() != 0 {
		t.Error("a refused socket is connected")
	}
}

// A decoder is trusted no more than a client.
func TestParserDecoded(t *testing.T) {
	for name, frames := range map[string][][]byte{
		"an error":               {packet("nonsense")},
		"text that is no JSON":   {packet("event / e"), packet("nul"), packet("end")},
		"nested too deep":        {packet("event / e"), packet(strings.Repeat("[", 600) + strings.Repeat("]", 600)), packet("end")},
		"an event without name":  {packet("bad / ]")},
		"a binary type":          {packet("bad / 1 ]")},
		"no type":                {packet("bad / 1 2 3 ]")},
		"a connect with binary":  {packet("connect /x {}"), attachment("x"), packet("end")},
		"a reserved event":       {packet("event / disconnect"), packet("end")},
		"too many attachments":   append([][]byte{packet("event / e")}, slices.Repeat([][]byte{attachment("x")}, 3)...),
		"too many messages":      append([][]byte{packet("event / e")}, slices.Repeat([][]byte{packet("1")}, 6)...),
		"too many bytes":         append([][]byte{packet("event / e")}, slices.Repeat([][]byte{packet(strings.Repeat("1", 600))}, 4)...),
		"attachments too large":  {packet("event / e"), attachment(strings.Repeat("1", 600)), packet("end")},
		"a namespace too long":   {packet("event /" + strings.Repeat("x", 600) + " e"), packet("end")},
		"an id that is too high": {packet("ask / e" + strings.Repeat(" x", 3)), packet("end")},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Parser: wordParser{}, MaxAttachments: 4}
			switch name {
			case "too many attachments":
				cfg.MaxAttachments = 1
			case "too many bytes", "attachments too large":
				cfg.MaxPayload, cfg.Inbox.MaxBytes = 800, 1000
			}
			r := newRig(t, cfg)
			if name == "attachments too large" {
				r.srv.limits.AttachmentBytes = 500
			}
			r.srv.root.On("e", func(context.Context, *Message) { t.Error("handled") }, Inline())
			c := r.dial()
			feed(c, packet("connect / {}"), packet("end"))
			s := r.socket(t)
			for _, f := range frames {
				c.Feed(bytes.Clone(f))
			}
			r.loop.run()
			if s.Connected() {
				t.Error("still connected")
			}
		})
	}
}

// BenchmarkMsgpack is one event and its acknowledgement with the msgpack parser.
func BenchmarkMsgpack(b *testing.B) {
	r := newRig(b, Config{Parser: parser.Msgpack(), Queue: Queue{MaxBytes: 1 << 30}, Logger: slog.New(slog.DiscardHandler)})
	Reply1(r.srv.root, "e", func(_ context.Context, _ *Socket, n int) (int, error) { return n + 1, nil }, Inline())
	c := r.dialSink()
	c.feed(attachment("\x82\xa4type\x00\xa3nsp\xa1/"))
	cl := r.socket(b).client
	data := []byte("\x84\xa4type\x02\xa4data\x92\xa1e\x29\xa2id\x01\xa3nsp\xa1/")
	b.ReportAllocs()
	for b.Loop() {
		cl.Message(data, true)
		r.loop.run()
	}
}
