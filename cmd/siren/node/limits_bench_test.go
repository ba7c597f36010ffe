package node

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server/attach"
)

// lockedLoop is a fake loop to which handlers may post.
type lockedLoop struct {
	*pollertest.Loop
	mu    sync.Mutex
	tasks []interface{ Run(loop int) } // guarded by mu
}

func (l *lockedLoop) Post(t interface{ Run(loop int) }) {
	l.mu.Lock()
	l.tasks = append(l.tasks, t)
	l.mu.Unlock()
}

func (l *lockedLoop) TryPost(t interface{ Run(loop int) }) bool { l.Post(t); return true }

// Idle reports whether nothing is posted.
func (l *lockedLoop) Idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tasks) == 0
}

func (l *lockedLoop) PostFunc(fn func()) { l.Post(taskFunc(fn)) }

type taskFunc func()

func (f taskFunc) Run(int) { f() }

// run does what is posted.
func (l *lockedLoop) run() {
	for {
		l.mu.Lock()
		tasks := l.tasks
		l.tasks = nil
		l.mu.Unlock()
		if len(tasks) == 0 && l.Posted() == 0 {
			return
		}
		l.Do(func() {
			for _, t := range tasks {
				t.Run(0)
			}
		})
		l.RunUntilIdle()
	}
}

func frame(packet string) []byte {
	return wsframe.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1, 2, 3, 4}, []byte(packet))
}

// benchClient is a client of a node with that configuration, in memory.
func benchClient(b *testing.B, text, auth string) (loop *lockedLoop, conn *pollertest.Conn) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "siren.yaml")
	if err := os.WriteFile(file, []byte("engine: {loops: 1, ping_interval: 24h}\nadmin: {listen: ''}\n"+text), 0o600); err != nil {
		b.Fatal(err)
	}
	loaded, err := config.Load(config.Sources{File: file})
	if err != nil {
		b.Fatal(err)
	}
	n, err := New(Options{Loaded: loaded, Log: os.Stderr})
	if err != nil {
		b.Fatal(err)
	}
	loop = &lockedLoop{Loop: pollertest.NewLoop(0)}
	accept, err := attach.Server(n.srv, []attach.Loop{loop}, nil)
	if err != nil {
		b.Fatal(err)
	}
	conn = pollertest.NewConn(loop.Loop, nil)
	loop.Do(func() { conn.SetReceiver(accept(conn, 0)) })
	conn.Feed([]byte("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	conn.Feed(frame("40" + auth))
	var in strings.Builder
	for end := time.Now().Add(10 * time.Second); !strings.Contains(in.String(), `40{"sid"`); time.Sleep(time.Millisecond) {
		loop.run()
		for _, f := range conn.TakeFrames() {
			in.Write(f)
		}
		if time.Now().After(end) {
			b.Fatalf("not connected: %q", in.String())
		}
	}
	return loop, conn
}

// userTime is the time that the process has computed.
func userTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano())
}

// BenchmarkClientEvents is what limits and tokens cost: a client joins a room, publishes to it and leaves it. All limits
// are on where there are some, and the token narrows what the rule allows.
func BenchmarkClientEvents(b *testing.B) {
	const (
		limits = "limits: {connections: 1000, connections_per_address: 1000, accepts_per_second: 1000, events_per_second: 1000000000, bytes_per_second: 1000000000}\n"
		secret = "a secret for benchmarks"
		tokens = "auth: {required: true, jwt: {hmac_secrets: [" + secret + "]}}\n"
	)
	signer := token.Config{HMACSecrets: []string{secret}, Log: slog.Default()}
	signed, err := signer.Sign(token.Grant{
		Subject: "ada", Expires: 24 * time.Hour, Join: []string{"room-*"}, Publish: []string{"room-*"},
	})
	if err != nil {
		b.Fatal(err)
	}
	auth := `{"token":"` + signed + `"}`
	for _, c := range []struct{ name, config, auth string }{
		{"plain", "", ""}, {"limits", limits, ""}, {"tokens", tokens, auth}, {"both", limits + tokens, auth},
	} {
		b.Run(c.name, func(b *testing.B) {
			loop, conn := benchClient(b, c.config, c.auth)
			var events []byte
			for _, packet := range []string{`42["join","room-1"]`, `42["publish",{"event":"e","room":"room-1","data":"some text"}]`, `421["leave","room-1"]`} {
				events = append(events, frame(packet)...)
			}
			in := make([]byte, len(events))
			b.ReportAllocs()
			begin := userTime()
			for b.Loop() {
				copy(in, events) // which are unmasked in place
				conn.Feed(in)
				loop.run()
				if len(conn.TakeFrames()) == 0 {
					b.Fatal("no answer")
				}
				loop.Advance(time.Microsecond) // for the buckets
			}
			b.ReportMetric(float64(userTime()-begin)/float64(b.N), "user-ns/op")
		})
	}
}
