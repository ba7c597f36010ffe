package exposition

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue/logtest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// rig is an Exposition on a listener.
type rig struct {
	t    *testing.T
	e    *Exposition
	url  string
	addr string
	logs *logtest.Buffer
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t, logs: new(logtest.Buffer)}
	srv, err := server.New(server.Config{Loops: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Server, cfg.Log = srv, slog.New(slog.NewTextHandler(r.logs, nil))
	r.e = New(cfg)
	listener, err := admin.New(admin.Config{
		Address: "127.0.0.1:0", WriteTimeout: 300 * time.Millisecond, Observe: r.e.ObserveRequest,
	})
	if err != nil {
		t.Fatal(err)
	}
	listener.Handle(r.e.Route())
	if err := listener.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = listener.Close(ctx)
		_ = srv.Close()
	})
	r.addr = listener.Addr().String()
	r.url = "http://" + r.addr + "/metrics"
	return r
}

func (r *rig) do(method string, header ...string) (*http.Response, string) {
	r.t.Helper()
	request, err := http.NewRequest(method, r.url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(body)
}

// await scrapes until the text has all of the lines.
func (r *rig) await(lines ...string) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		_, body := r.do("GET")
		missing := ""
		for _, line := range lines {
			if !strings.Contains("\n"+body, "\n"+line+"\n") {
				missing += line + "\n"
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("there is no\n%sin\n%s", missing, body)
		}
	}
}

// TestFormats answers in the format that the client asks for, compressed for one that takes that.
func TestFormats(t *testing.T) {
	r := newRig(t, Config{Version: "1.2.3", Commit: "abc"})
	for _, c := range []struct{ accept, contentType, has string }{
		{"", "text/plain; version=0.0.4", "\n# TYPE siren_dropped_total counter\n"},
		{"text/plain;version=0.0.4", "text/plain; version=0.0.4", "\nsiren_build_info{commit=\"abc\",go=\"go1."},
		{"application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0", "\n# TYPE siren_dropped counter\n"},
		{"application/json", "text/plain; version=0.0.4", "\ngo_goroutines "},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "application/vnd.google.protobuf", "siren_connections"},
	} {
		resp, body := r.do("GET", "Accept", c.accept)
		got := resp.Header.Get("Content-Type")
		if resp.StatusCode != 200 || !strings.HasPrefix(got, c.contentType) || !strings.Contains(body, c.has) {
			t.Errorf("%q: %d, %s\n%.300s", c.accept, resp.StatusCode, got, body)
		}
		if strings.HasSuffix(body, "# EOF\n") != strings.HasPrefix(c.contentType, "application/openmetrics") {
			t.Errorf("%q ends with %q", c.accept, body[len(body)-20:])
		}
	}
	resp, packed := r.do("GET", "Accept-Encoding", "gzip")
	unpack, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal(err, resp.Header)
	}
	if text, err := io.ReadAll(unpack); err != nil || !strings.Contains(string(text), "\nprocess_open_fds ") {
		t.Error(err, string(text))
	}
	if resp, body := r.do("HEAD"); resp.StatusCode != 200 || resp.ContentLength < 1000 || body != "" {
		t.Error(resp.StatusCode, resp.ContentLength, body)
	}
	if resp, _ := r.do("POST"); resp.StatusCode != 405 {
		t.Error(resp.StatusCode)
	}
}

// TestNodeMetrics tells what others count for the node.
// adapter has fixed numbers.
type adapter struct {
	health cluster.Health
	stats  cluster.Stats
}

func (a adapter) Health() cluster.Health { return a.health }
func (a adapter) Stats() cluster.Stats   { return a.stats }

func TestClusterMetrics(t *testing.T) {
	r := newRig(t, Config{Cluster: adapter{
		health: cluster.Health{State: cluster.Stalled},
		stats: cluster.Stats{
			Published: 1, Received: 2, PublishedBytes: 3, ReceivedBytes: 4, DroppedFull: 5, DroppedDown: 6, DroppedUnknown: 7,
			DroppedInvalid: 8, DroppedBehind: 9, Malformed: 10, Outages: 11, Queued: 12, QueuedBytes: 13,
		},
	}})
	r.await(
		`siren_cluster_state{state="stalled"} 1`, `siren_cluster_state{state="up"} 0`, `siren_cluster_state{state="closed"} 0`,
		`siren_cluster_published_total 1`, `siren_cluster_received_total 2`,
		`siren_cluster_published_bytes_total 3`, `siren_cluster_received_bytes_total 4`,
		`siren_cluster_dropped_total{reason="queue_full"} 5`, `siren_cluster_dropped_total{reason="down"} 6`,
		`siren_cluster_dropped_total{reason="unknown"} 7`, `siren_cluster_dropped_total{reason="invalid"} 8`,
		`siren_cluster_dropped_total{reason="behind"} 9`, `siren_cluster_malformed_total 10`, `siren_cluster_outages_total 11`,
		`siren_cluster_queue_messages 12`, `siren_cluster_queue_bytes 13`,
	)
	if _, body := newRig(t, Config{}).do("GET"); strings.Contains(body, "siren_cluster") {
		t.Error("a node that is alone tells of a cluster")
	}
}

func TestNodeMetrics(t *testing.T) {
	var g gate.Stats
	g.TokenRefusals = map[string]uint64{"token_expired": 2}
	g.Webhooks.Requests[webhook.Event][webhook.TimedOut] = 3
	g.Webhooks.CircuitOpen = true
	r := newRig(t, Config{
		Version: "1.2.3", Gate: func() gate.Stats { return g }, Calls: []string{"emit", "emit/batch"},
		Dropped: func() map[string]uint64 { return map[string]uint64{"webhook_queue": 7} },
		Refused: func() map[string]uint64 { return map[string]uint64{"memory": 8} },
	})
	r.e.ObserveRequest("emit", 200, time.Millisecond)
	r.e.ObserveRequest("emit", 429, 2*time.Second)
	r.e.ObserveRequest("unknown", 404, 0)
	r.e.ObserveRequest("healthz", 200, 0)
	r.e.ObserveHook(webhook.Connect, webhook.OK, 30*time.Millisecond)
	r.await(
		`siren_token_refusals_total{reason="token_expired"} 2`,
		`siren_webhook_requests_total{result="timeout",type="socket.event"} 3`,
		`siren_webhook_requests_total{result="ok",type="socket.connect"} 0`,
		`siren_webhook_circuit_open 1`,
		`siren_webhook_seconds_count{type="socket.connect"} 1`,
		`siren_webhook_seconds_bucket{type="socket.connect",le="0.025"} 0`,
		`siren_webhook_seconds_bucket{type="socket.connect",le="0.05"} 1`,
		`siren_api_requests_total{call="emit",code="200"} 1`,
		`siren_api_requests_total{call="emit",code="429"} 1`,
		`siren_api_requests_total{call="unknown",code="404"} 1`,
		`siren_api_requests_total{call="emit/batch",code="200"} 0`,
		`siren_api_seconds_count{call="emit"} 2`,
		`siren_dropped_total{reason="webhook_queue"} 7`,
		`siren_refused_total{reason="memory"} 8`,
	)
	if _, body := r.do("GET"); strings.Contains(body, "healthz") || strings.Contains(body, "metrics\"") {
		t.Error("what is no call of the API counts as one")
	}
	open, limit, ok := descriptors()
	if !ok || open < 3 || limit <= open {
		t.Error(open, limit, ok)
	}
}

// deafScrape asks for the metrics many times and does not read.
func (r *rig) deafScrape() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	go func() {
		for range 5000 { // more than the kernel keeps; the server reads on only while it can write
			if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	return conn
}

// TestScrapeThatNeverReads is cut after the write time-out, which is counted and logged. Others are served meanwhile.
func TestScrapeThatNeverReads(t *testing.T) {
	r := newRig(t, Config{})
	r.deafScrape()
	r.await(`siren_scrapes_total{result="cut"} 1`)
	if !strings.Contains(r.logs.String(), "a scrape was cut: its client did not read the metrics") || !strings.Contains(r.logs.String(), "addr=127.0.0.1") {
		t.Error(r.logs.String())
	}
	if n := len(r.e.places); n > 1 { // that of the answer which has just told so may be taken still
		t.Errorf("%d places are taken", n)
	}
}

// TestTooManyScrapes refuses scrapes while too many answers are unread.
func TestTooManyScrapes(t *testing.T) {
	r := newRig(t, Config{})
	for range scrapesMax {
		r.e.places <- struct{}{}
	}
	resp, body := r.do("GET")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "5" || !strings.Contains(body, `"code":"overloaded"`) {
		t.Error(resp.StatusCode, resp.Header, body)
	}
	for range scrapesMax {
		<-r.e.places
	}
	r.await(`siren_scrapes_total{result="busy"} 1`)
	r.await(`siren_scrapes_total{result="cut"} 0`)
}

// broken is a collector that fails.
type broken struct{}

func (broken) Describe(ch chan<- *prometheus.Desc) {
	ch <- prometheus.NewDesc("broken", "It fails.", nil, nil)
}

func (broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "It fails.", nil, nil), fmt.Errorf("no numbers"))
}

// TestFailedCollector tells all metrics but those of the collector that fails, and logs why these are missing.
func TestFailedCollector(t *testing.T) {
	r := newRig(t, Config{})
	r.e.registry.MustRegister(broken{})
	r.await(`siren_scrapes_total{result="failed"} 1`, `siren_connections{transport="polling"} 0`)
	if !strings.Contains(r.logs.String(), "no numbers") {
		t.Error(r.logs.String())
	}
}

// TestTextIsRead: what is written can be read line by line, without a line that is too long.
func TestTextIsRead(t *testing.T) {
	_, body := newRig(t, Config{}).do("GET")
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		if line := lines.Text(); line == "" || len(line) > 300 {
			t.Errorf("%q", line)
		}
	}
}
