package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue/logtest"
	"github.com/seed58c87869/siren/server/metrics"
	"github.com/seed58c87869/siren/session/sessiontest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")) // gnet keeps its pool a while
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// rig is a server with a collector.
type rig struct {
	t   testing.TB
	srv *server.Server
	c   *metrics.Collector
	reg *prometheus.Registry
}

func newRig(t testing.TB, cfg server.Config, o metrics.Options, setup func(srv *server.Server)) *rig {
	t.Helper()
	if cfg.Loops == 0 {
		cfg.Loops = 2
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if setup != nil {
		setup(srv)
	}
	r := &rig{t, srv, metrics.New(srv, o), prometheus.NewPedanticRegistry()}
	r.reg.MustRegister(r.c)
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return r
}

func (r *rig) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.srv.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// join connects to the namespace "/".
func (r *rig) join() *sessiontest.WebSocket {
	r.t.Helper()
	w, err := sessiontest.JoinWebSocket(r.dial(), "/socket.io/")
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func (r *rig) send(w *sessiontest.WebSocket, packets ...string) {
	r.t.Helper()
	if err := w.Send(packets...); err != nil {
		r.t.Fatal(err)
	}
}

// expect reads until a message with that beginning comes.
func (r *rig) expect(w *sessiontest.WebSocket, prefix string) {
	r.t.Helper()
	for {
		m, err := w.Next()
		if err != nil {
			r.t.Fatalf("%v; want %s", err, prefix)
		}
		if strings.HasPrefix(m.Text, prefix) {
			return
		}
	}
}

func (r *rig) get(path string) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.srv.Addr().String() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

// scrape returns the values by their names with labels, as the text format has them; histograms by their counts.
func (r *rig) scrape() map[string]float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	return valuesOf(families)
}

func valuesOf(families []*dto.MetricFamily) map[string]float64 {
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName()
			if labels != nil {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.GetCounter() != nil:
				out[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				out[name] = m.GetGauge().GetValue()
			case m.GetHistogram() != nil:
				out[name] = float64(m.GetHistogram().GetSampleCount())
				out[name+" sum"] = m.GetHistogram().GetSampleSum()
			}
		}
	}
	return out
}

// await scrapes until the values are those. A value below zero stands for any that is above zero.
func (r *rig) await(want map[string]float64) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got := r.scrape()
		wrong := ""
		for _, name := range slices.Sorted(maps.Keys(want)) {
			v, ok := got[name]
			if n := want[name]; !ok || n >= 0 && v != n || n < 0 && v <= 0 {
				wrong += fmt.Sprintf("%s is %v (%v), want %v\n", name, v, ok, n)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal(wrong)
		}
	}
}

const some = -1

// TestHandshakes counts requests for a session by transport and result.
func TestHandshakes(t *testing.T) {
	r := newRig(t, server.Config{}, metrics.Options{}, nil)
	p, err := sessiontest.JoinPolling(r.dial(), nil, "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r.join()
	r.join()
	r.get("/socket.io/?EIO=4&transport=carrier-pigeon")
	r.get("/socket.io/?EIO=2&transport=polling")   // a protocol that is not spoken
	r.get("/socket.io/?EIO=4&transport=websocket") // without an upgrade
	r.get("/socket.io/?EIO=4&transport=polling&sid=unknown")
	r.await(map[string]float64{
		`siren_handshakes_total{result="ok",transport="polling"}`:        1,
		`siren_handshakes_total{result="ok",transport="websocket"}`:      2,
		`siren_handshakes_total{result="refused",transport="polling"}`:   1,
		`siren_handshakes_total{result="refused",transport="websocket"}`: 1,
		`siren_handshakes_total{result="refused",transport="unknown"}`:   1,
		`siren_connections{transport="polling"}`:                         1,
		`siren_connections{transport="websocket"}`:                       2,
	})
}

// TestFullServer counts what a limit refuses as a handshake, too.
func TestFullServer(t *testing.T) {
	r := newRig(t, server.Config{MaxSessions: 1}, metrics.Options{}, nil)
	r.join()
	r.get("/socket.io/?EIO=4&transport=polling")
	r.await(map[string]float64{
		`siren_handshakes_total{result="refused",transport="polling"}`: 1,
		`siren_refused_total{reason="connections"}`:                    1,
		`siren_refused_total{reason="memory"}`:                         0,
	})
}

// TestUpgrades counts finished and refused upgrades.
func TestUpgrades(t *testing.T) {
	r := newRig(t, server.Config{}, metrics.Options{}, nil)
	p, err := sessiontest.JoinPolling(r.dial(), r.dial(), "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	target := "/socket.io/?EIO=4&transport=websocket&sid="
	if _, err := sessiontest.OpenWebSocket(r.dial(), target+p.SID[:len(p.SID)-1]); err == nil {
		t.Fatal("an unknown session was upgraded")
	}
	w, err := sessiontest.OpenWebSocket(r.dial(), target+p.SID)
	if err != nil {
		t.Fatal(err)
	}
	r.send(w, "2probe")
	r.expect(w, "3probe")
	second, err := sessiontest.OpenWebSocket(r.dial(), target+p.SID) // while the first one probes
	if err != nil {
		t.Fatal(err)
	}
	second.Rest()
	r.send(w, "5")
	r.await(map[string]float64{
		`siren_upgrades_total{result="ok"}`:        1,
		`siren_upgrades_total{result="refused"}`:   2,
		`siren_connections{transport="polling"}`:   0,
		`siren_connections{transport="websocket"}`: 1,
	})
}

// TestConnects counts attempts to connect by namespace and result. Namespaces that clients name are counted together,
// and those that do not exist, too.
func TestConnects(t *testing.T) {
	r := newRig(t, server.Config{MaxAuthBytes: 64}, metrics.Options{}, func(srv *server.Server) {
		srv.Of("/denied").Use(func(context.Context, *server.Socket) error { return server.Refuse("no", nil) })
		srv.Of("/broken").Use(func(context.Context, *server.Socket) error { return errors.New("no database") })
		srv.Of("/down").OnConnect(func(context.Context, *server.Socket) error {
			return &server.Refusal{Message: "later", Cause: errors.New("no backend")}
		})
		srv.Of("/panics").OnConnect(func(context.Context, *server.Socket) error { panic("oh") })
		srv.OfFunc(func(_ context.Context, name string, _ server.Raw) bool { return strings.HasPrefix(name, "/room-") })
	})
	w := r.join()
	for _, ns := range []string{"/denied", "/broken", "/down", "/panics", "/nowhere", "/"} {
		if ns != "/" {
			r.send(w, "40"+ns+",")
			r.expect(w, "44"+ns+",")
		}
	}
	for _, ns := range []string{"/room-1", "/room-2"} {
		r.send(w, "40"+ns+",")
		r.expect(w, "40"+ns+",")
	}
	r.send(w, `40/denied,{"long":"`+strings.Repeat("x", 100)+`"}`)
	r.expect(w, "44/denied,")
	r.await(map[string]float64{
		`siren_connects_total{namespace="/",result="ok"}`:            1,
		`siren_connects_total{namespace="/denied",result="denied"}`:  1,
		`siren_connects_total{namespace="/denied",result="refused"}`: 1,
		`siren_connects_total{namespace="/denied",result="ok"}`:      0,
		`siren_connects_total{namespace="/broken",result="failed"}`:  1,
		`siren_connects_total{namespace="/down",result="failed"}`:    1,
		`siren_connects_total{namespace="/panics",result="failed"}`:  1,
		`siren_connects_total{namespace="unknown",result="refused"}`: 1,
		`siren_connects_total{namespace="dynamic",result="ok"}`:      2,
		`siren_sockets{namespace="dynamic"}`:                         2,
		`siren_sockets{namespace="/"}`:                               1,
		`siren_rooms{namespace="/"}`:                                 0,
		`siren_handler_panics_total`:                                 1,
	})
	if _, found := r.scrape()[`siren_sockets{namespace="/room-1"}`]; found {
		t.Error("a client has made a value of a label")
	}
}

// TestDisconnects counts sockets that end by reason, also those that the reference has no word for, of which neither
// handlers nor clients hear.
func TestDisconnects(t *testing.T) {
	var mu sync.Mutex
	heard := map[server.Reason]int{}
	r := newRig(t, server.Config{Queue: server.Queue{MaxBytes: 1 << 16}}, metrics.Options{}, func(srv *server.Server) {
		srv.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) {
			mu.Lock()
			defer mu.Unlock()
			heard[r]++
		})
		srv.Of("/").On("expire", func(_ context.Context, m *server.Message) { m.Socket().DisconnectFor(server.ReasonTokenExpired) })
		srv.Of("/").On("leave", func(_ context.Context, m *server.Message) { m.Socket().Disconnect(false) })
	})
	left, cut, expired, kicked := r.join(), r.join(), r.join(), r.join()
	r.send(left, "41")
	cut.Close()
	r.send(expired, `42["expire"]`)
	r.expect(expired, "41")
	r.send(kicked, `42["leave"]`)
	r.expect(kicked, "41")
	r.await(map[string]float64{
		`siren_disconnects_total{reason="client namespace disconnect"}`: 1,
		`siren_disconnects_total{reason="transport close"}`:             1,
		`siren_disconnects_total{reason="token expired"}`:               1,
		`siren_disconnects_total{reason="server namespace disconnect"}`: 1,
		`siren_disconnects_total{reason="queue full"}`:                  0,
	})
	r.join() // it does not read
	big := strings.Repeat("x", 1<<15)
	for deadline := time.Now().Add(patience); r.scrape()[`siren_disconnects_total{reason="queue full"}`] == 0; {
		if _, err := r.srv.Emit("big", big); err != nil || time.Now().After(deadline) {
			t.Fatal("a client that does not read stays", err)
		}
	}
	r.await(map[string]float64{
		`siren_dropped_total{reason="queue_full"}`:          1,
		`siren_disconnects_total{reason="transport error"}`: 0,
		`siren_queue_bytes`:                                 0,
		`siren_blocked_connections`:                         0,
	})
	mu.Lock()
	defer mu.Unlock()
	want := map[server.Reason]int{
		server.ReasonClientLeft: 1, server.ReasonTransportClose: 1, server.ReasonServerLeft: 2, server.ReasonTransportError: 1,
	}
	if !maps.Equal(heard, want) {
		t.Error(heard)
	}
}

// TestQueueBytes tells what waits for clients that do not read, on both transports.
func TestQueueBytes(t *testing.T) {
	r := newRig(t, server.Config{}, metrics.Options{}, nil)
	p, err := sessiontest.JoinPolling(r.dial(), nil, "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := r.srv.Emit("m", strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); r.scrape()["siren_queue_bytes"] < 5000; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing waits for the polling client")
		}
	}
	if _, err := p.Get(); err != nil {
		t.Fatal(err)
	}
	r.await(map[string]float64{"siren_queue_bytes": 0, "siren_blocked_connections": 0})

	w := r.join()
	for deadline := time.Now().Add(patience); r.scrape()["siren_blocked_connections"] == 0; {
		if _, err := r.srv.Of("/").Emit("m", strings.Repeat("x", 1<<18)); err != nil || time.Now().After(deadline) {
			t.Fatal("no connection is blocked", err)
		}
		if _, err := p.Get(); err != nil {
			t.Fatal(err)
		}
	}
	r.await(map[string]float64{"siren_queue_bytes": some, "siren_blocked_connections": 1})
	w.Close()
	r.await(map[string]float64{"siren_queue_bytes": 0, "siren_blocked_connections": 0})
}

// TestTraffic counts packets, broadcasts with their recipients, handlers and acknowledgements.
func TestTraffic(t *testing.T) {
	r := newRig(t, server.Config{}, metrics.Options{}, func(srv *server.Server) {
		srv.Of("/").On("slow", func(context.Context, *server.Message) { time.Sleep(10 * time.Millisecond) })
		srv.Of("/").On("inline", func(context.Context, *server.Message) {}, server.Inline())
		srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error { return s.Join("room") })
	})
	clients := []*sessiontest.WebSocket{r.join(), r.join(), r.join()}
	for range 3 {
		if _, err := r.srv.Of("/").To("room").Emit("m", 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range clients {
		for range 3 {
			r.expect(w, `42["m"`)
		}
		r.send(w, `42["slow"]`)
	}
	for range 64 {
		r.send(clients[0], `42["inline"]`)
	}
	a, err := r.srv.Of("/").Timeout(time.Millisecond).AskAll(context.Background(), server.AskLimits{}, "silence")
	if err != nil || a.Missing != 3 {
		t.Fatal(a, err)
	}
	if _, err := r.srv.Of("/").Sockets()[0].Timeout(time.Millisecond).Request(context.Background(), "silence"); err == nil {
		t.Fatal("somebody has answered")
	}
	r.await(map[string]float64{
		`siren_broadcasts_total{namespace="/"}`:    4,
		`siren_broadcast_recipients`:               4,
		`siren_broadcast_recipients sum`:           12,
		`siren_rooms{namespace="/"}`:               1,
		`siren_ack_timeouts_total`:                 4,
		`siren_handler_seconds{namespace="/"}`:     some,
		`siren_handler_seconds{namespace="/"} sum`: some,
		`siren_received_packets_total`:             some,
		`siren_sent_packets_total`:                 some,
		`siren_received_bytes_total`:               some,
		`siren_sent_bytes_total`:                   some,
		`siren_writes_total`:                       some,
		`siren_loop_mailbox{loop="1"}`:             0,
		`siren_loop_lag_seconds{loop="0"}`:         some,
		`siren_loop_lag_seconds{loop="1"}`:         some,
		`siren_memory_budget_bytes`:                some,
	})
	if got := r.scrape(); got["siren_loop_lag_seconds{loop=\"0\"} sum"] > patience.Seconds() {
		t.Error(got)
	}
}

// TestStuckLoop scrapes while a handler holds a loop: the scrape is soon over, and has the latest numbers. Afterwards
// the lag is in the histogram, and a line of the log names the loop.
func TestStuckLoop(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var out logtest.Buffer
	options := metrics.Options{Wait: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&out, nil))}
	r := newRig(t, server.Config{Loops: 1}, options, func(srv *server.Server) {
		srv.Of("/").On("hold", func(context.Context, *server.Message) {
			entered <- struct{}{}
			<-leave
		}, server.Inline())
	})
	w := r.join()
	r.await(map[string]float64{`siren_connections{transport="websocket"}`: 1})
	r.send(w, `42["hold"]`)
	<-entered
	begin := time.Now()
	got := r.scrape()
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("a scrape of a stuck server took %v", took)
	}
	if got[`siren_connections{transport="websocket"}`] != 1 || got[`siren_sockets{namespace="/"}`] != 1 {
		t.Error(got)
	}
	time.Sleep(1200 * time.Millisecond) // the lag that is logged
	close(leave)
	r.await(map[string]float64{`siren_loop_lag_seconds{loop="0"}`: some})
	for deadline := time.Now().Add(patience); !strings.Contains(out.String(), "an event loop was late"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no line")
		}
	}
	text := out.String()
	if strings.Count(text, "an event loop was late") != 1 || strings.Count(text, "loop=0 lag=1") != 1 {
		t.Error(text)
	}
}

// TestFurtherCounts adds the counts of the application's own reasons to those of the server.
func TestFurtherCounts(t *testing.T) {
	r := newRig(t, server.Config{}, metrics.Options{
		Dropped: func() map[string]uint64 { return map[string]uint64{"webhook_queue": 3, "volatile": 1} },
		Refused: func() map[string]uint64 { return map[string]uint64{"memory": 2} },
	}, nil)
	r.await(map[string]float64{
		`siren_dropped_total{reason="webhook_queue"}`: 3, `siren_dropped_total{reason="volatile"}`: 1,
		`siren_dropped_total{reason="admin_ui"}`: 0, `siren_refused_total{reason="memory"}`: 2,
	})
}

// TestBeforeListen has numbers of a server that has not begun, and of one that has ended.
func TestBeforeListen(t *testing.T) {
	srv, err := server.New(server.Config{Loops: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.New(srv, metrics.Options{}))
	for _, when := range []string{"before", "after"} {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(when, err)
		}
		if v := valuesOf(families); v[`siren_connections{transport="polling"}`] != 0 || len(v) < 40 {
			t.Error(when, v)
		}
		if when == "before" {
			if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			if err := srv.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
