package exposition

import (
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/forward"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/metrics"
)

// Config says what is told. All fields but the first are optional. Immutable.
type Config struct {
	Server *server.Server
	// Version and Commit are told by siren_build_info.
	Version, Commit string
	// Gate returns the numbers of tokens and webhooks.
	Gate func() gate.Stats
	// Dropped and Refused are those of metrics.Options.
	Dropped, Refused func() map[string]uint64
	// Cluster is the adapter that joins the node to its cluster; nil when it is alone.
	Cluster cluster.HealthReporter
	// Forward passes requests on to other nodes; nil when it does not.
	Forward *forward.Node
	// Calls are the names of the API's calls.
	Calls []string
	// Log gets a warning when a loop was late, and when an answer was not read. Default: discards everything.
	Log *slog.Logger
}

// unknown is the call of requests for which there is no route.
const unknown = "unknown"

// Exposition has the metrics. Safe for concurrent use.
type Exposition struct {
	log      *slog.Logger
	server   *metrics.Collector
	registry *prometheus.Registry

	calls        map[string]bool // immutable
	requests     *prometheus.CounterVec
	requestTimes *prometheus.HistogramVec
	hookTimes    *prometheus.HistogramVec
	scrapes      *prometheus.CounterVec
	// places has room for the scrapes that are answered at once.
	places chan struct{}
}

// times are the bounds of requests, in seconds: from a call that finds nobody to the longest one.
var times = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}

// New makes an Exposition.
func New(cfg Config) *Exposition {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Exposition{
		log: cfg.Log, registry: prometheus.NewRegistry(), calls: map[string]bool{unknown: true},
		server: metrics.New(cfg.Server, metrics.Options{Dropped: cfg.Dropped, Refused: cfg.Refused, Logger: cfg.Log}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siren_api_requests_total", Help: "Requests to the HTTP API, by call and HTTP status.",
		}, []string{"call", "code"}),
		requestTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "siren_api_seconds", Help: "Time that requests to the HTTP API took.", Buckets: times,
		}, []string{"call"}),
		hookTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "siren_webhook_seconds", Help: "Time that requests to the webhooks' backend took.", Buckets: times,
		}, []string{"type"}),
		scrapes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siren_scrapes_total", Help: "Requests for the metrics, by result.",
		}, []string{"result"}),
		places: make(chan struct{}, scrapesMax),
	}
	for _, r := range []string{scrapeOK, scrapeFailed, scrapeCut, scrapeBusy} {
		e.scrapes.WithLabelValues(r)
	}
	for _, call := range cfg.Calls {
		e.calls[call] = true
		e.requests.WithLabelValues(call, "200") // a rate needs the zero before the first
		e.requestTimes.WithLabelValues(call)
	}
	for _, kind := range []webhook.Kind{webhook.Connect, webhook.Event, webhook.Disconnect} {
		e.hookTimes.WithLabelValues(kind.String())
	}
	e.registry.MustRegister(
		e.server, e.requests, e.requestTimes, e.hookTimes, e.scrapes, &node{cfg},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if cfg.Cluster != nil {
		e.registry.MustRegister(&clusterNumbers{cfg.Cluster})
	}
	if cfg.Forward != nil {
		e.registry.MustRegister(&forwardNumbers{cfg.Forward})
	}
	return e
}

// Start begins to measure how far the event loops are behind. Call it when the server listens.
func (e *Exposition) Start() { e.server.Start() }

// ObserveRequest counts a request to the operators' listener, by the name of its route. Those that are no calls of the API
// are left out.
func (e *Exposition) ObserveRequest(route string, status int, took time.Duration) {
	if e.calls[route] {
		e.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
		e.requestTimes.WithLabelValues(route).Observe(took.Seconds())
	}
}

// ObserveHook times a request to the webhooks' backend.
func (e *Exposition) ObserveHook(kind webhook.Kind, _ webhook.Result, took time.Duration) {
	e.hookTimes.WithLabelValues(kind.String()).Observe(took.Seconds())
}

// node tells the numbers of the node that others count.
type node struct{ cfg Config }

var (
	buildInfo = prometheus.NewDesc("siren_build_info", "What the node was built from; always 1.",
		[]string{"version", "commit", "go"}, nil)
	openFiles = prometheus.NewDesc("siren_open_descriptors", "Descriptors that the process has open.", nil, nil)
	fileLimit = prometheus.NewDesc("siren_descriptor_limit", "Descriptors that the process may have open.", nil, nil)
	hooks     = prometheus.NewDesc("siren_webhook_requests_total", "Requests to the webhooks' backend, by type and result.",
		[]string{"type", "result"}, nil)
	circuit = prometheus.NewDesc("siren_webhook_circuit_open",
		"1 while the webhooks' backend is taken to be down and is not asked.", nil, nil)
	tokens = prometheus.NewDesc("siren_token_refusals_total", "Tokens that were refused, by reason.", []string{"reason"}, nil)
)

// Describe implements prometheus.Collector.
func (n *node) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, openFiles, fileLimit, hooks, circuit, tokens} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (n *node) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(buildInfo, 1, n.cfg.Version, n.cfg.Commit, runtime.Version())
	if open, limit, ok := descriptors(); ok {
		gauge(openFiles, float64(open))
		gauge(fileLimit, float64(limit))
	}
	if n.cfg.Gate == nil {
		return
	}
	g := n.cfg.Gate()
	for reason, count := range g.TokenRefusals {
		counter(tokens, count, reason)
	}
	for kind, results := range g.Webhooks.Requests {
		for result, count := range results {
			counter(hooks, count, webhook.Kind(kind).String(), webhook.Result(result).String())
		}
	}
	open := 0.0
	if g.Webhooks.CircuitOpen {
		open = 1
	}
	gauge(circuit, open)
}
