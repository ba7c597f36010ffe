package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

const target3 = "/socket.io/?EIO=3&transport=websocket"

// joined3 dials as a client 2.x does, which is in "/" at once, and returns the session's id.
func joined3(t testing.TB, srv *server.Server) (*client, string) {
	t.Helper()
	c := dialTarget(t, srv, target3, nil)
	c.expect("0")
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(c.open[1:]), &open); err != nil || open.SID == "" {
		t.Fatalf("open packet %q: %v", c.open, err)
	}
	return c, open.SID
}

// withID answers "id" with the socket's id, protocol and auth payload.
func withID(srv *server.Server, namespaces ...string) {
	for _, n := range namespaces {
		srv.Of(n).On("id", func(_ context.Context, m *server.Message) {
			s := m.Socket()
			_ = m.Ack(s.ID(), s.Protocol(), string(s.Handshake().RawAuth()))
		})
	}
}

// Clients of protocol 3 are refused by default.
func TestRevision3Off(t *testing.T) {
	srv := start(t, server.Config{}, nil)
	resp, err := http.Get("http://" + srv.Addr().String() + "/socket.io/?EIO=3&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Error(resp.Status)
	}
}

// The client is in "/" without asking, with the session's id; other namespaces put theirs in front, and the query
// is the auth payload.
func TestRevision3Connect(t *testing.T) {
	srv := start(t, server.Config{AllowEIO3: true}, func(srv *server.Server) { withID(srv, "/", "/a") })
	c, sid := joined3(t, srv)
	c.send(`21["id"]`)
	c.expect(fmt.Sprintf(`31[%q,3,""]`, sid))
	c.send(`0/a?token=a%20b&x=1+2&token=c%22&y,`)
	c.expect("0/a,")
	c.send(`2/a,1["id"]`)
	c.expect(fmt.Sprintf(`3/a,1[%q,3,%q]`, "/a#"+sid, `{"token":"c\"","x":"1 2","y":""}`))
	for _, id := range []string{sid, "/a#" + sid} {
		ns := srv.Of("/")
		if strings.HasPrefix(id, "/a") {
			ns = srv.Of("/a")
		}
		if s := ns.Socket(id); s == nil || s.ID() != id {
			t.Errorf("no socket %q", id)
		}
		if n, err := ns.To(id).Emit("hello"); n != 1 || err != nil {
			t.Errorf("%d %v", n, err)
		}
	}
	c.expect(`2["hello"]`, `2/a,["hello"]`)
	c.send("1/a,", `2["id"]`, `22["id"]`)
	c.expect(fmt.Sprintf(`32[%q,3,""]`, sid))
	c.send("0/a")
	c.expect("0/a,")
	// The wire is the same for those of protocol 4, and a query is no auth payload there.
	four, id := joined(t, srv, "/")
	four.send(`21["id"]`)
	four.expect(fmt.Sprintf(`31[%q,4,""]`, id))
	// A second CONNECT breaks the protocol in both.
	c.send("0")
	c.expectClosed()
}

// A refusal is the error's data or else the message, not an object around them.
func TestRevision3Refusal(t *testing.T) {
	cases := []struct {
		err  error
		want string
	}{
		{server.Refuse("no entry", map[string]int{"code": 401}), `{"code":401}`},
		{server.Refuse("no entry", nil), `"no entry"`},
		{server.Refuse("no entry", "text"), `"text"`},
		{server.Refuse("no entry", 7), `7`},
		{&server.Refusal{Message: "no entry", HasData: true}, `"no entry"`},
		{server.Refuse("no entry", false), `"no entry"`},
		{server.Refuse("no entry", 0), `"no entry"`},
		{server.Refuse("no entry", ""), `"no entry"`},
		{server.Refuse("no entry", make(chan int)), `"no entry"`},
		{errors.New("secret"), `"Not authorized"`},
	}
	srv := start(t, server.Config{AllowEIO3: true}, func(srv *server.Server) {
		srv.Of("/").Use(func(context.Context, *server.Socket) error { return cases[0].err })
		for i, c := range cases {
			srv.Of(fmt.Sprint("/", i)).Use(func(context.Context, *server.Socket) error { return c.err })
		}
	})
	c := dialTarget(t, srv, target3, nil)
	c.expect("4" + cases[0].want)
	for i, want := range cases {
		c.send(fmt.Sprintf("0/%d?x=1,", i))
		c.expect(fmt.Sprintf("4/%d,%s", i, want.want))
	}
	c.send("0/unknown?x=1,") // as the reference has it
	c.expect(`4/unknown,{"message":"Invalid namespace"}`)
}

// Too many namespaces are a refusal in the client's form; "/" counts.
func TestRevision3TooManyNamespaces(t *testing.T) {
	srv := start(t, server.Config{AllowEIO3: true, MaxNamespaces: 2}, func(srv *server.Server) { srv.Of("/a"); srv.Of("/b") })
	c, _ := joined3(t, srv)
	c.send("0/a,", "0/b,")
	c.expect("0/a,", `4/b,"Too many namespaces"`)
}

// The connect timeout is for those who have to ask. The one who joins nothing in protocol 4 began later.
func TestRevision3NoConnectTimeout(t *testing.T) {
	srv := start(t, server.Config{AllowEIO3: true, ConnectTimeout: 10 * time.Millisecond}, func(srv *server.Server) {
		srv.Of("/").Use(func(context.Context, *server.Socket) error { return server.Refuse("no", nil) })
		srv.Of("/a")
	})
	c := dialTarget(t, srv, target3, nil)
	c.expect(`4"no"`)
	dial(t, srv).expectClosed()
	c.send("0/a,")
	c.expect("0/a,")
}

// A namespace's query may be longer than a name.
func TestRevision3LongQuery(t *testing.T) {
	srv := start(t, server.Config{AllowEIO3: true}, func(srv *server.Server) { withID(srv, "/a") })
	c, sid := joined3(t, srv)
	token := strings.Repeat("x", 4000)
	c.send("0/a?t="+token+",", `2/a,1["id"]`)
	c.expect("0/a,", fmt.Sprintf(`3/a,1[%q,3,%q]`, "/a#"+sid, `{"t":"`+token+`"}`))
}

// Clients of both protocols in one room, on both transports: texts and attachments in the form of each.
func TestRevision3MixedRoom(t *testing.T) {
	srv := start(t, server.Config{AllowEIO3: true}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").On("join", func(_ context.Context, m *server.Message) { _ = m.Socket().Join("r"); _ = m.Ack() })
		srv.Of("/").On("echo", func(_ context.Context, m *server.Message) { _ = m.Ack(m.Args()...) })
	})
	three, _ := joined3(t, srv)
	four, _ := joined(t, srv, "/")
	text := dialTarget(t, srv, target3+"&b64=1", nil)
	text.expect("0")
	poll := dialPolling(t, srv)
	poll.post(`40`)
	poll.take(1)
	for _, c := range []*client{three, four, text} {
		c.send(`21["join"]`)
		c.expect(`31[]`)
	}
	poll.post(`421["join"]`)
	poll.take(1)
	if n, err := srv.Of("/").To("r").Emit("bin", []byte{1, 2, 3}); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	head := `51-["bin",{"_placeholder":true,"num":0}]`
	four.expect(head, "binary 010203")
	three.expect(head, "binary 04010203")
	text.expect(head)
	if got := strings.Join(poll.take(2), "|"); got != "4"+head+"|bAQID" {
		t.Errorf("polling: %q", got)
	}
	// And the other way.
	three.send(`51-2["echo",{"_placeholder":true,"num":0}]`)
	three.sendBinary([]byte{4, 9, 8})
	three.expect(`61-2[{"_placeholder":true,"num":0}]`, "binary 040908")
	three.sync()
	four.sync()
}

// The server lets a client go from a namespace, and with the connection.
func TestRevision3Disconnect(t *testing.T) {
	srv := start(t, server.Config{AllowEIO3: true}, func(srv *server.Server) { srv.Of("/a") })
	c, sid := joined3(t, srv)
	c.send("0/a,")
	c.expect("0/a,")
	srv.Of("/a").Socket("/a#" + sid).Disconnect(false)
	c.expect("1/a,")
	srv.Of("/").Socket(sid).Disconnect(true)
	c.expect("1")
	c.expectClosed()
}

// The query string of a namespace is the old protocol's alone. To other clients it is part of a name
// that no namespace has, and the connection stays.
func TestNamespaceQuery(t *testing.T) {
	srv := start(t, server.Config{AllowEIO3: true}, func(srv *server.Server) { withID(srv, "/", "/a") })
	c := dialTarget(t, srv, "/socket.io/?EIO=4&transport=websocket", nil)
	for _, query := range []string{"?x=1", "?"} {
		c.send("0/a" + query + ",")
		c.expect("4/a" + query + `,{"message":"Invalid namespace"}`)
	}
	c.join("/a")
	c.send("2/a?x=1,[\"id\"]")
	c.expectClosed()
}
