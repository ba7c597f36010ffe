package gate_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What an idle connection with a token costs more than one without: its user, its deadline and its claims, beside the
// claims' own bytes.
func TestMemoryPerToken(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const count = 2000
	cost := func(withToken bool) (perClient, claims float64) {
		n := newNode(t, gate.Config{Tokens: token.Config{HMACSecrets: []string{secret}}}, gate.Rule{}, server.Config{})
		n.Connect("/", auth(n.sign(token.Grant{Subject: "first"})))
		auths := make([]any, count)
		for i := range auths {
			if withToken {
				auths[i] = auth(n.sign(token.Grant{Subject: "user-" + strconv.Itoa(i), Data: []byte(`"` + strings.Repeat("x", 100) + `"`)}))
			}
		}
		clients := make([]*servertest.Client, count)
		before := heap()
		for i := range clients {
			clients[i] = n.Connect("/", auths[i])
			clients[i].Events()
		}
		n.Settle()
		after := heap()
		for _, c := range clients {
			if !c.Connected() {
				t.Fatalf("%+v", c.Refused())
			}
			if claim := gate.Claims(c.Socket()); claim != nil {
				claims += float64(len(claim.Text()))
			}
		}
		runtime.KeepAlive(auths)
		return float64(after-before) / count, claims / count
	}
	without, _ := cost(false)
	with, claims := cost(true)
	more := with - without - claims
	t.Logf("a connection without a token has %.0f bytes; with one %.0f more, beside claims of %.0f bytes", without, more, claims)
	if more > 160 {
		t.Errorf("a token costs %.0f bytes, at most 160 are allowed", more)
	}
}
