package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// Values of the package's own types reach clients in the form that the reference's have, with any JSON library.
func TestOwnValuesMarshal(t *testing.T) {
	const handshake = `\{"headers":\{"connection":"Upgrade",.*"x-test":"1"\},"time":"\w{3} \w{3} \d\d \d{4} [\d:]{8} GMT\+0000 .*",` +
		`"address":"203\.0\.113\.9","xdomain":false,"secure":false,"issued":\d{13},"url":"/socket.io/\?.*","query":\{"EIO":"4",.*` +
		`"room":"5",.*"transport":"websocket"\}`
	for name, lib := range map[string]server.JSON{"built in": nil, "encoding/json": new(stdJSON)} {
		t.Run(name, func(t *testing.T) {
			ts := servertest.New(t, server.Config{JSON: lib})
			c := ts.Connect("/", map[string]any{"token": []int{1}}, servertest.Address("203.0.113.9"), servertest.Query("room", "5"),
				servertest.Header("X-Test", "1"))
			s := c.Socket()
			shown := server.NewKey[int]("shown", server.Shared())
			shown.Set(s, 7)
			var fetched []server.RemoteSocket
			server.On0(ts.Of("/"), "fetch", func(ctx context.Context, s *server.Socket) (err error) {
				fetched, err = s.Namespace().FetchSockets(ctx)
				return err
			})
			if a := c.EmitAck("fetch"); len(fetched) != 1 {
				t.Fatal(fetched, a)
			}
			for name, test := range map[string]struct {
				value any
				want  string
			}{
				"Handshake":                {s.Handshake(), handshake + `,"auth":\{"token":\[1\]\}\}`},
				"RequestInfo":              {s.Handshake().RequestInfo, handshake + `\}`},
				"RawAuth":                  {s.Handshake().RawAuth(), `\{"token":\[1\]\}`},
				"Reason":                   {server.ReasonTransportClose, `"transport close"`},
				"Transport":                {s.Transport(), `"websocket"`},
				"Overflow":                 {server.OverflowDropNewest, `"drop newest"`},
				"RoomEvent":                {server.RoomEvent{Kind: server.RoomCreated, Room: "r"}, `\{"kind":"create-room","room":"r"\}`},
				"Refuse":                   {server.Refuse("no", map[string]int{"n": 1}), `\{"message":"no","data":\{"n":1\}\}`},
				"plain Refuse":             {server.Refuse("no", nil), `\{"message":"no"\}`},
				"an error":                 {errors.New("\"no\""), `\{"message":"\\"no\\""\}`},
				"a wrapped error":          {fmt.Errorf("read: %w", io.EOF), `\{"message":"read: EOF"\}`},
				"an error of this package": {&server.MissingError{Clients: 2, Cause: server.ErrTimeout}, `\{"message":".*"\}`},
				"no error":                 {(*server.MissingError)(nil), `null`},
				"RemoteSocket": {fetched[0], `\{"id":"` + c.ID() + `","handshake":` + handshake + `,"auth":\{"token":\[1\]\}\},"rooms":\["` + c.ID() +
					`"\],"data":\{"shown":7\}\}`},
				"its Handshake":     {fetched[0].Handshake(), handshake + `,"auth":\{"token":\[1\]\}\}`},
				"a Socket's Tuning": {s.Tuning(), `\{"PingInterval":.*"OnFull":"disconnect"\}`},
				"ConnectionError": {server.ConnectionError{Code: 3, Message: "Bad request", Request: s.Handshake().RequestInfo,
					Context: map[string]any{"error": io.EOF}}, `\{"req":` + handshake + `\},"code":3,"message":"Bad request","context":\{"error":"EOF"\}\}`},
			} {
				if err := s.Emit("value", test.value); err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				e := c.Expect("value")
				if got := e.Args[0].JSON; !regexp.MustCompile("^" + test.want + "$").Match(unescape(got)) {
					t.Errorf("%s: %s", name, got)
				}
			}
		})
	}
}

// unescape removes the escapes that encoding/json makes for HTML.
func unescape(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`\u0026`), []byte("&")) }

// Handlers acknowledge with errors as with other values, and the package's Parser has them too.
func TestErrorsAsAcknowledgements(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	ts.Of("/").On("refuse", func(_ context.Context, m *server.Message) { _ = m.Ack(server.Refuse("no", []int{5})) })
	ts.Of("/").On("fail", func(_ context.Context, m *server.Message) { _ = m.Ack(nil, errors.New("x")) })
	c := ts.Client()
	if a := c.EmitAck("refuse"); string(a.Args[0].JSON) != `{"message":"no","data":[5]}` {
		t.Error(a)
	}
	if a := c.EmitAck("fail"); string(a.Args[1].JSON) != `{"message":"x"}` {
		t.Error(a)
	}
}

// Logs and statistics have words, in JSON too.
func TestWordsInLogsAndStats(t *testing.T) {
	var log logBuffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "reason", server.ReasonPingTimeout, "transport", server.Polling, "kind", server.SocketJoined)
	if want := `"reason":"ping timeout","transport":"polling","kind":"join-room"`; !strings.Contains(log.String(), want) {
		t.Error(log.String())
	}
	ts := servertest.New(t, server.Config{})
	ts.Client().Cut()
	text, err := json.Marshal(ts.Stats())
	if err != nil || !strings.Contains(string(text), `"Closed":{"transport close":1}`) {
		t.Errorf("%s, %v", text, err)
	}
	var r server.Reason
	var tr server.Transport
	if err := errors.Join(r.UnmarshalText([]byte("ping timeout")), tr.UnmarshalText([]byte("websocket"))); err != nil ||
		r != server.ReasonPingTimeout || tr != server.WebSocket {
		t.Error(r, tr, err)
	}
	if r.UnmarshalText([]byte("unknown")) == nil || tr.UnmarshalText([]byte("tcp")) == nil {
		t.Error("unknown words were accepted")
	}
}
