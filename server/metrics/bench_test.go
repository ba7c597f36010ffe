package metrics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/metrics"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// BenchmarkScrape scrapes a server with 10,000 sessions in 1,000 namespaces, all of which have handlers that were
// timed, and writes the text.
func BenchmarkScrape(b *testing.B) {
	const sessions, spaces = 10_000, 1000
	r := newRig(b, server.Config{PingInterval: time.Hour}, metrics.Options{}, func(srv *server.Server) {
		for i := range spaces {
			srv.Of(fmt.Sprintf("/space-%d", i)).On("m", func(context.Context, *server.Message) {})
		}
	})
	conn := r.dial()
	for i := range sessions {
		p, err := sessiontest.JoinPolling(conn, nil, "/socket.io/")
		if err != nil {
			b.Fatal(err)
		}
		ns := fmt.Sprintf("/space-%d,", i%spaces)
		if err := p.Post("40"+ns, "42"+ns+`["m"]`); err != nil {
			b.Fatal(err)
		}
	}
	r.await(map[string]float64{
		`siren_connections{transport="polling"}`: sessions, `siren_sockets{namespace="/space-7"}`: sessions / spaces,
		`siren_handler_seconds{namespace="/space-7"}`: some,
	})
	var size int
	b.ReportAllocs()
	for b.Loop() {
		var text strings.Builder
		families, err := r.reg.Gather()
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range families {
			if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
				b.Fatal(err)
			}
		}
		size = text.Len()
	}
	b.ReportMetric(float64(size), "text-B")
}
