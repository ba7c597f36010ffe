package engineio_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/server/engineio"
	"github.com/seed58c87869/siren/session"
)

// Without Socket.IO, each message is an event: what is in excess does not reach the application.
func TestLimits(t *testing.T) {
	srv := start(t, engineio.Config{
		Session: session.Config{Limits: session.Limits{EventsPerSecond: 3, ConnectionsPerAddress: 1}},
		Open:    func(s engineio.Socket) engineio.Client { return echo{s.Session()} },
	})
	c := dial(t, url(srv), ws.Dialer{})
	var burst bytes.Buffer // one write, so that all arrive at once
	for _, message := range []string{"4a", "4b", "4c", "4d", "4e"} {
		if err := wsutil.WriteClientText(&burst, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.conn.Write(burst.Bytes()); err != nil {
		t.Fatal(err)
	}
	c.expect("4a", "4b", "4c")
	for deadline := time.Now().Add(patience); srv.Stats().OverEvents < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the others are not dropped")
		}
	}
	if _, _, _, err := (ws.Dialer{}).Dial(t.Context(), url(srv)+"/engine.io/?EIO=4&transport=websocket"); err != ws.StatusError(429) {
		t.Errorf("a second connection: %v", err)
	}
	if s := srv.Stats(); s.OverAddress != 1 || s.Open != 1 {
		t.Errorf("%+v", s)
	}
}
