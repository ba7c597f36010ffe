package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue"
)

// Options are the settings of a Collector. The zero value has the defaults. Immutable.
type Options struct {
	// Wait bounds the time for which a scrape waits for event loops that are busy. Default 250 ms: a loop that takes
	// longer is in trouble, and Prometheus waits ten seconds.
	Wait time.Duration
	// Dropped and Refused, when set, return further counts for siren_dropped_total and siren_refused_total, by reason.
	// They are added to the server's own and must never decrease. Safe for concurrent use.
	Dropped, Refused func() map[string]uint64
	// Logger gets a warning when an event loop was behind by a second or more, and it is not waited for. Default: none.
	Logger *slog.Logger
}

// defaultWait is Options.Wait's.
const defaultWait = 250 * time.Millisecond

// Collector is a prometheus.Collector with the numbers of one server. Safe for concurrent use.
type Collector struct {
	srv  *server.Server
	o    Options
	log  *slog.Logger
	lags sync.Once
}

// New returns a Collector. It may be made before the server listens.
func New(srv *server.Server, o Options) *Collector {
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	c := &Collector{srv: srv, o: o}
	if o.Logger != nil {
		c.log = slog.New(logqueue.New(o.Logger.Handler(), logqueue.Limits{}))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range all {
		ch <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), c.o.Wait)
	defer cancel()
	loops := c.srv.LoopStats(ctx)
	if loops != nil {
		c.Start()
	}
	whole := c.srv.Stats()
	s := scrape{ch}
	s.sessions(&whole)
	s.loops(loops)
	s.namespaces(c.srv.NamespaceStats())
	s.poller(&whole)
	s.process(&whole)
	s.reasons(dropped, merge(c.o.Dropped, droppedReasons, whole.DroppedBy()))
	s.reasons(refused, merge(c.o.Refused, refusedReasons, whole.RefusedBy()))
}

// Start begins to measure how far the event loops are behind, for siren_loop_lag_seconds, which goes on until the
// server ends. The first scrape does so, too. Call it when the server listens.
func (c *Collector) Start() {
	c.lags.Do(func() {
		l := &lateness{log: c.log, late: make(map[int]bool)}
		go c.srv.WatchLag(context.Background(), l.observe)
	})
}

// lateMin is the lag from which on a loop is late: clients notice.
const lateMin = time.Second

// lateness logs loops that are late. Safe for concurrent use.
type lateness struct {
	log  *slog.Logger
	mu   sync.Mutex
	late map[int]bool // guarded by mu
}

// observe logs the first of several lags that are too long: it is the longest, because those that were due later have
// waited for less.
func (l *lateness) observe(loop int, lag time.Duration) {
	if l.log == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if late := lag >= lateMin; late != l.late[loop] {
		l.late[loop] = late
		if late {
			l.log.Warn("an event loop was late", "loop", loop, "lag", lag)
		}
	}
}

// merge returns the counts for all reasons, also those that have not happened: a rate needs the zero before the first.
func merge(more func() map[string]uint64, reasons []string, counts map[string]uint64) map[string]uint64 {
	sum := make(map[string]uint64, len(reasons))
	for _, r := range reasons {
		sum[r] = 0
	}
	for r, n := range counts {
		sum[r] += n
	}
	if more != nil {
		for r, n := range more() {
			sum[r] += n
		}
	}
	return sum
}
