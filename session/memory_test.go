package session

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// mute is an application that keeps nothing.
type mute struct{}

func (mute) Open(*Session) Client                 { return mute{} }
func (mute) Serves() bool                         { return false }
func (mute) Request(*Exchange, *httpwire.Request) {}
func (mute) Message([]byte, bool)                 {}
func (mute) Closed(Reason)                        {}

// browserFields are what a browser sends along.
var browserFields = []string{
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
	"Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: en-US,en;q=0.9",
	"Cache-Control: no-cache", "Pragma: no-cache", "Origin: http://siren.example",
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// idleSessions opens n sessions on quiet connections.
func idleSessions(t testing.TB, n int, transport string, fields ...string) (e *Engine, conns []*pollertest.Conn) {
	loop := pollertest.NewLoop(0)
	e, err := New(Config{}, mute{}, []Loop{loop}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(request("GET", base+"polling", "", fields...))
	if transport == "websocket" {
		text = []byte(upgradeRequest("", fields...))
	}
	for range n {
		c := pollertest.NewQuietConn(loop, nil)
		conns = append(conns, c)
		loop.Do(func() { c.SetReceiver(e.Accept(c, 0)) })
		c.Feed(text)
	}
	if e.Sessions() != n {
		t.Fatalf("%d sessions", e.Sessions())
	}
	return e, conns
}

// A connection with its exchange fills a size class of the allocator.
func TestSizeOfHTTPConn(t *testing.T) {
	if n := unsafe.Sizeof(HTTPConn{}); n > 208 {
		t.Errorf("%d bytes, at most 208 are allowed", n)
	}
}

// What an idle session costs, its connection's fake (as large as the real one's state) included.
func TestMemoryPerSession(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	loop := pollertest.NewLoop(0)
	before := heap()
	bare := make([]*pollertest.Conn, n)
	for i := range bare {
		bare[i] = pollertest.NewQuietConn(loop, nil)
	}
	perConn := int(heap()-before) / n
	runtime.KeepAlive(bare)
	for _, c := range []struct {
		name, transport string
		fields          []string
		max             int
	}{
		{"WebSocket, bare request", "websocket", nil, 1500},
		{"WebSocket, a browser's request", "websocket", browserFields, 2000},
		{"polling, bare request", "polling", nil, 1700},
		{"polling, a browser's request", "polling", browserFields, 2200},
	} {
		before := heap()
		e, conns := idleSessions(t, n, c.transport, c.fields...)
		per := int(heap()-before)/n - perConn
		t.Logf("%s: %d bytes for each idle session, besides %d of the fake connection", c.name, per, perConn)
		if per > c.max {
			t.Errorf("%s: %d bytes, at most %d are allowed", c.name, per, c.max)
		}
		for _, conn := range conns {
			conn.PeerClose(nil)
		}
		runtime.KeepAlive(e)
	}
}
