package server_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/parser"
)

// stdJSON is encoding/json, with a count of its calls.
type stdJSON struct{ marshals, unmarshals atomic.Int64 }

func (j *stdJSON) Marshal(v any) ([]byte, error) {
	j.marshals.Add(1)
	return json.Marshal(v)
}

func (j *stdJSON) Unmarshal(data []byte, v any) error {
	j.unmarshals.Add(1)
	return json.Unmarshal(data, v)
}

type point struct {
	X, Y int
	Blob []byte `json:"blob,omitempty"`
}

// Another JSON library sees the arguments that are its business, and attachments stay attachments.
func TestJSON(t *testing.T) {
	lib := new(stdJSON)
	calls := func(marshals, unmarshals int64) {
		t.Helper()
		if m, u := lib.marshals.Swap(0), lib.unmarshals.Swap(0); m != marshals || u != unmarshals {
			t.Errorf("%d and %d calls, want %d and %d", m, u, marshals, unmarshals)
		}
	}
	auths := make(chan map[string]any, 1)
	srv := start(t, server.Config{JSON: lib}, func(srv *server.Server) {
		withSync(srv)
		ns := srv.Of("/")
		ns.OnConnect(func(_ context.Context, s *server.Socket) error {
			var auth map[string]any
			err := s.Handshake().Auth(&auth)
			auths <- auth
			return err
		})
		server.Reply1(ns, "point", func(_ context.Context, _ *server.Socket, p point) (point, error) {
			p.X++
			return p, nil
		})
		ns.On("mixed", func(_ context.Context, m *server.Message) {
			var b []byte
			var v any
			var raw server.Raw
			var p point
			if err := m.Decode(&b, &v, &raw, &p); err != nil {
				t.Error(err)
			}
			_ = m.Ack(b, v, raw, p, "<text>", 1.5, map[string]any{"b": b}, []string{"<>"})
		})
		server.On1(ns, "wrong", func(context.Context, *server.Socket, int) error { return nil })
		srv.Of("/no").Use(func(context.Context, *server.Socket) error { return server.Refuse("no", map[string]any{"a": "<"}) })
	})
	c := dial(t, srv)
	c.send(`0{"a":[1]}`)
	c.connected("")
	if auth := receive(t, auths); fmt.Sprint(auth) != "map[a:[1]]" {
		t.Error(auth)
	}
	calls(0, 1)
	c.send(`21["point",{"X":1,"Y":2}]`)
	c.expect(`31[{"X":2,"Y":2}]`)
	calls(1, 1)
	// encoding/json escapes "<"; the built-in library leaves it.
	c.send(`51-2["mixed",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":0}},{"X":1}]`)
	c.sendBinary([]byte("hi"))
	c.expect(`61-2[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":0}},`+
		`{"X":1,"Y":0},"<text>",1.5,{"b":"aGk="},["\u003c\u003e"]]`, "binary 6869")
	calls(4, 1) // the point, 1.5, the map and the list; the point
	c.send(`23["wrong","x"]`)
	c.expect(`33[{"error":"invalid arguments"}]`)
	c.send(`0/no,`)
	c.expect(`4/no,{"message":"no","data":{"a":"\u003c"}}`)

	lib.marshals.Store(0)
	if _, err := srv.Emit("e", point{X: 1}); err != nil {
		t.Error(err)
	}
	c.expect(`2["e",{"X":1,"Y":0}]`)
	p, err := srv.Prepare("p", point{Blob: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Of("/").EmitPrepared(p); err != nil {
		t.Error(err)
	}
	c.expect(`2["p",{"X":0,"Y":0,"blob":"eA=="}]`)
	if m := lib.marshals.Load(); m != 2 {
		t.Error(m)
	}
	for _, v := range []any{func() {}, make(chan int), json.Marshaler(broken{})} {
		if _, err := srv.Emit("e", v); !errors.Is(err, server.ErrEncode) {
			t.Errorf("%T: %v", v, err)
		}
	}
}

// broken marshals to what is no JSON.
type broken struct{}

func (broken) MarshalJSON() ([]byte, error) { return []byte("{"), nil }

// The library's output is checked before it leaves.
func TestJSONChecked(t *testing.T) {
	srv := start(t, server.Config{JSON: literal("{")}, nil)
	if _, err := srv.Emit("e", 1.5); !errors.Is(err, server.ErrEncode) {
		t.Error(err)
	}
}

type literal string

func (l literal) Marshal(any) ([]byte, error) { return []byte(l), nil }
func (literal) Unmarshal([]byte, any) error   { return nil }

// The msgpack parser, as bytes.
func TestMsgpackParser(t *testing.T) {
	srv := start(t, server.Config{Parser: parser.Msgpack()}, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.On("e", func(_ context.Context, m *server.Message) { _ = m.Ack(m.Args()...) })
		server.Reply1(ns, "len", func(_ context.Context, s *server.Socket, b []byte) (int, error) {
			return len(b), s.Emit("got", b)
		})
	})
	c := dial(t, srv)
	c.sendBinary([]byte("\x82\xa4type\x00\xa3nsp\xa1/"))
	if got := string(c.next().binary); !strings.HasPrefix(got, "\x83\xa4type\x00\xa4data\x81\xa3sid\xb4") || !strings.HasSuffix(got, "\xa3nsp\xa1/") {
		t.Fatalf("%q", got)
	}
	send := func(text string) { c.sendBinary(unhex(t, text)) }
	expect := func(want string) {
		t.Helper()
		if got := hex.EncodeToString(c.next().binary); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	send("84a47479706502a46461746193a165c4020102cb3ff8000000000000a2696407a36e7370a12f")
	expect("84a2696407a47479706503a46461746192c4020102cb3ff8000000000000a36e7370a12f")
	send("84a47479706502a46461746192a36c656ec403010203a2696408a36e7370a12f")
	expect("83a47479706502a46461746192a3676f74c403010203a36e7370a12f")
	expect("84a2696408a47479706503a4646174619103a36e7370a12f")
	send("82a47479706500a36e7370a22f78")
	expect("83a47479706504a46461746181a76d657373616765b1496e76616c6964206e616d657370616365a36e7370a22f78")
	send("82a47479706501a36e7370a12f")
	eventually(t, "the socket is gone", func() bool { return srv.Of("/").SocketCount() == 0 })
	c.send("0")
	c.expectClosed()
}

// What a socket keeps for as long as it lives has bounds.
func TestKeptBytes(t *testing.T) {
	joins := make(chan error, 3)
	srv := start(t, server.Config{MaxAuthBytes: 20, MaxRoomBytes: 5}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error {
			joins <- s.Join("12345")
			joins <- s.Join("a", "123456", "b")
			joins <- nil
			if got := fmt.Sprint(s.Rooms()[1:]); got != "[12345 a]" {
				t.Error(got)
			}
			return nil
		})
	})
	c := dial(t, srv)
	c.send(`0{"a":"` + strings.Repeat("x", 13) + `"}`)
	c.expect(`4{"message":"Auth payload too large"}`)
	c.send(`0{"a":"` + strings.Repeat("x", 12) + `"}`)
	c.connected("")
	if err := receive(t, joins); err != nil {
		t.Error(err)
	}
	if err := receive(t, joins); !errors.Is(err, server.ErrRoomName) {
		t.Error(err)
	}
	c.sync()
}
