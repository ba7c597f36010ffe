package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
)

// wired is an adapter whose messages go through the JSON text that the reference's adapters for Redis Streams and for
// sharded Pub/Sub have: what the seam carries must fit into that, and come out of it again. Answers lose their sender
// when it is anonymous, as those of the classic adapter do, and so do peers. Safe for concurrent use.
type wired struct {
	cluster.Adapter
	anonymous bool
	mu        sync.Mutex
	texts     []string
	// counts are the requests that were counts: the format has none, so the sockets are fetched. Guarded by mu.
	counts map[string]bool
}

type refMessage struct {
	Type cluster.Kind `json:"type"`
	Data refData      `json:"data"`
	UID  string       `json:"uid,omitempty"`
	NSP  string       `json:"nsp"`
}

type refData struct {
	Packet      json.RawMessage  `json:"packet,omitempty"`
	RequestID   string           `json:"requestId,omitempty"`
	Opts        *refOpts         `json:"opts,omitempty"`
	Rooms       []string         `json:"rooms,omitempty"`
	Close       *bool            `json:"close,omitempty"`
	ClientCount *int             `json:"clientCount,omitempty"`
	Sockets     []cluster.Socket `json:"sockets,omitempty"`
}

type refOpts struct {
	Rooms  []string `json:"rooms"`
	Except []string `json:"except"`
	Flags  refFlags `json:"flags"`
}

type refFlags struct {
	Volatile bool  `json:"volatile,omitempty"`
	Timeout  int64 `json:"timeout,omitempty"`
}

type refPacket struct {
	Type int             `json:"type"`
	Data json.RawMessage `json:"data"`
}

func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// encode returns a message as the reference's text.
func (w *wired) encode(m *cluster.Message) []byte {
	out := refMessage{Type: m.Kind, UID: m.From, NSP: m.Namespace, Data: refData{RequestID: m.Request, Rooms: m.Rooms, Sockets: m.Sockets}}
	question := false
	switch m.Kind {
	case cluster.Broadcast:
		question = true
		out.Data.Packet = mustJSON(refPacket{2, m.Data.JSON})
	case cluster.ServerSideEmit:
		out.Data.Packet = m.Data.JSON
	case cluster.BroadcastAck, cluster.ServerSideResponse:
		var args []json.RawMessage
		if err := json.Unmarshal(m.Data.JSON, &args); err == nil && len(args) > 0 {
			out.Data.Packet = args[0]
		}
	case cluster.ClientCount:
		out.Data.ClientCount = &m.Count
	case cluster.CountSockets:
		question, out.Type = true, cluster.FetchSockets
		w.mu.Lock()
		w.counts[m.Request] = true
		w.mu.Unlock()
	case cluster.DisconnectSockets:
		question, out.Data.Close = true, &m.Close
	default:
		question = m.Kind != cluster.FetchSocketsResponse
	}
	if question {
		t := m.Target
		out.Data.Opts = &refOpts{append([]string{}, t.Rooms...), append([]string{}, t.Except...), refFlags{t.Volatile, t.Timeout.Milliseconds()}}
	} else if w.anonymous && m.Kind != cluster.ServerSideEmit {
		out.UID = ""
	}
	text := mustJSON(out)
	w.mu.Lock()
	w.texts = append(w.texts, string(text))
	w.mu.Unlock()
	return text
}

// decode is the opposite.
func (w *wired) decode(text []byte) *cluster.Message {
	var in refMessage
	if err := json.Unmarshal(text, &in); err != nil {
		panic(err)
	}
	m := &cluster.Message{Kind: in.Type, Namespace: in.NSP, From: in.UID, Request: in.Data.RequestID, Rooms: in.Data.Rooms, Sockets: in.Data.Sockets}
	if o := in.Data.Opts; o != nil {
		m.Target = cluster.Target{Rooms: o.Rooms, Except: o.Except, Volatile: o.Flags.Volatile, Timeout: time.Duration(o.Flags.Timeout) * time.Millisecond}
	}
	switch m.Kind {
	case cluster.Broadcast:
		var p refPacket
		if err := json.Unmarshal(in.Data.Packet, &p); err != nil {
			panic(err)
		}
		m.Data.JSON = p.Data
	case cluster.ServerSideEmit:
		m.Data.JSON = in.Data.Packet
	case cluster.BroadcastAck, cluster.ServerSideResponse:
		m.Data.JSON = bytes.Join([][]byte{{'['}, in.Data.Packet, {']'}}, nil)
	}
	if in.Data.Close != nil {
		m.Close = *in.Data.Close
	}
	if in.Data.ClientCount != nil {
		m.Count = *in.Data.ClientCount
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Kind == cluster.FetchSocketsResponse && w.counts[m.Request] {
		m.Kind, m.Count, m.Sockets = cluster.CountResponse, len(m.Sockets), nil
	}
	return m
}

func (w *wired) Subscribe(namespace string, receive func(m *cluster.Message)) error {
	return w.Adapter.Subscribe(namespace, func(m *cluster.Message) {
		if m.Kind != cluster.NodeLeft { // which adapters of that kind find out by themselves
			m = w.decode(m.Data.JSON)
		}
		receive(m)
	})
}

func (w *wired) Publish(m *cluster.Message) error {
	if m.Kind == cluster.Abandoned { // the reference has no such message
		return nil
	}
	return w.Adapter.Publish(&cluster.Message{Namespace: m.Namespace, Data: server.Raw{JSON: w.encode(m)}})
}

func (w *wired) Send(node string, m *cluster.Message) error {
	if m.Kind == cluster.Refused {
		return nil
	}
	return w.Adapter.Send(node, &cluster.Message{Namespace: m.Namespace, Data: server.Raw{JSON: w.encode(m)}})
}

func (w *wired) Peers(ctx context.Context, namespace string) (cluster.Peers, error) {
	p, err := w.Adapter.Peers(ctx, namespace)
	if w.anonymous {
		p.Nodes = nil
	}
	return p, err
}

// All of it works through the reference's wire format, with named nodes and with anonymous ones, and the texts are
// those that its own servers send.
func TestClusterReferenceFormat(t *testing.T) {
	for name, anonymous := range map[string]bool{"named": false, "anonymous": true} {
		t.Run(name, func(t *testing.T) { testReferenceFormat(t, anonymous) })
	}
}

func testReferenceFormat(t *testing.T, anonymous bool) {
	bus := cluster.NewBus()
	srv, wire := map[string]*server.Server{}, map[string]*wired{}
	for _, name := range []string{"a", "b"} {
		wire[name] = &wired{Adapter: bus.Node(name), anonymous: anonymous, counts: map[string]bool{}}
		s, err := server.New(server.Config{Loops: 1}, server.WithAdapter(wire[name]))
		if err != nil {
			t.Fatal(err)
		}
		withSync(s)
		s.Of("/").OnServerSide("ask", func(_ context.Context, m *server.NodeMessage) { _ = m.Ack(m.Arg(0), "more") })
		if err := s.Listen("tcp://127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		srv[name] = s
	}
	c, id := joined(t, srv["b"], "/")
	a := srv["a"].Of("/")
	errs := []error{a.To(id).SocketsJoin("room1", "x"), a.To("room1").Except("zz").SocketsLeave("x")}
	_, err := a.To("room1", "room2").Except("room3").Volatile().Emit("r", 2, map[string]any{"a": 1})
	errs = append(errs, err, a.ServerSideEmit("sse", "hi"))
	c.expect(`2["r",2,{"a":1}]`)
	got := later(func() answers { return callAll(t.Context(), a.To("room1").Timeout(10*time.Second), "q") })
	c.send("3" + ackID(t, c.next().text) + `[4,"more"]`)
	if g := receive(t, got); !slices.Equal(g.values, []int{4}) || g.errs != nil {
		t.Error(g)
	}
	fetched, err := a.To("room1").FetchSockets(t.Context())
	if err != nil || len(fetched) != 1 || fetched[0].ID() != id || !fetched[0].InRoom("room1") || fetched[0].InRoom("x") {
		t.Error(fetched, err)
	}
	if n, err := a.Count(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	replies, err := server.ServerSideCall[int](t.Context(), a, "ask", 5)
	if !slices.Equal(replies, []int{5}) || err != nil {
		t.Error(replies, err)
	}
	if err := errors.Join(append(errs, a.To("room1").DisconnectSockets(true))...); err != nil {
		t.Error(err)
	}
	c.expect("1")
	c.expectClosed()
	requestID := regexp.MustCompile(`"[0-9a-f]{16}"`)
	norm := func(texts []string) string {
		return requestID.ReplaceAllString(strings.ReplaceAll(strings.Join(texts, "\n"), id, "ID"), "REQ")
	}
	const all = `{"rooms":[],"except":[],"flags":{}}`
	const room1 = `{"rooms":["room1"],"except":[],"flags":{}}`
	if got, want := norm(wire["a"].texts), strings.Join([]string{
		`{"type":4,"data":{"opts":{"rooms":["ID"],"except":[],"flags":{}},"rooms":["room1","x"]},"uid":"a","nsp":"/"}`,
		`{"type":5,"data":{"opts":{"rooms":["room1"],"except":["zz"],"flags":{}},"rooms":["x"]},"uid":"a","nsp":"/"}`,
		`{"type":3,"data":{"packet":{"type":2,"data":["r",2,{"a":1}]},"opts":{"rooms":["room1","room2"],"except":["room3"],"flags":{"volatile":true}}},"uid":"a","nsp":"/"}`,
		`{"type":9,"data":{"packet":["sse","hi"]},"uid":"a","nsp":"/"}`,
		`{"type":3,"data":{"packet":{"type":2,"data":["q"]},"requestId":REQ,"opts":{"rooms":["room1"],"except":[],"flags":{"timeout":10000}}},"uid":"a","nsp":"/"}`,
		`{"type":7,"data":{"requestId":REQ,"opts":` + room1 + `},"uid":"a","nsp":"/"}`,
		`{"type":7,"data":{"requestId":REQ,"opts":` + all + `},"uid":"a","nsp":"/"}`,
		`{"type":9,"data":{"packet":["ask",5],"requestId":REQ},"uid":"a","nsp":"/"}`,
		`{"type":6,"data":{"opts":` + room1 + `,"close":true},"uid":"a","nsp":"/"}`,
	}, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
