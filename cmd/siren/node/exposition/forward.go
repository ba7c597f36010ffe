package exposition

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed58c87869/siren/room/cluster/forward"
)

// forwardNumbers tells the numbers of the requests that nodes pass on to each other.
type forwardNumbers struct{ node *forward.Node }

var (
	forwardPeers = prometheus.NewDesc("siren_cluster_forward_peers", "Other nodes that requests are passed on to, by state.",
		[]string{"state"}, nil)
	forwardUnderWay = prometheus.NewDesc("siren_cluster_forward_under_way",
		"Requests that other nodes have not answered yet, and WebSockets to them.", []string{"kind"}, nil)
	forwardRequests = prometheus.NewDesc("siren_cluster_forward_requests_total",
		"Requests that were passed on, to other nodes (sent) and by them (received).", []string{"direction"}, nil)
	forwardFailed = prometheus.NewDesc("siren_cluster_forward_failed_total",
		"Requests that got no answer of their session's node, by reason: they got 400 (gone) or 503.", []string{"reason"}, nil)
	forwardAbandoned = prometheus.NewDesc("siren_cluster_forward_abandoned_total",
		"Requests whose client has left before another node's answer.", nil, nil)
	forwardSockets = prometheus.NewDesc("siren_cluster_forward_websockets_total",
		"WebSockets that were joined with another node.", nil, nil)
	forwardLinks = prometheus.NewDesc("siren_cluster_forward_links_total",
		"Connections for requests that were asked for (dialed) and taken (accepted).", []string{"side"}, nil)
	forwardBytes = prometheus.NewDesc("siren_cluster_forward_bytes_total",
		"Bytes that were passed on: answers, and WebSockets to the node (up) and to the client (down).", []string{"kind"}, nil)
	forwardRefused = prometheus.NewDesc("siren_cluster_forward_refused_total",
		"Connections to the nodes' listener that were refused, by reason.", []string{"reason"}, nil)
	forwardMalformed = prometheus.NewDesc("siren_cluster_forward_malformed_total",
		"Requests, answers and announcements of nodes that could not be read.", nil, nil)
	forwardLosses = prometheus.NewDesc("siren_cluster_forward_losses_total", "Times that another node was lost.", nil, nil)
)

// Describe implements prometheus.Collector.
func (*forwardNumbers) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		forwardPeers, forwardUnderWay, forwardRequests, forwardFailed, forwardAbandoned, forwardSockets, forwardLinks,
		forwardBytes, forwardRefused, forwardMalformed, forwardLosses,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f *forwardNumbers) Collect(ch chan<- prometheus.Metric) {
	s := f.node.Stats()
	gauge := func(d *prometheus.Desc, value int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	count := func(d *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	states, requests, sockets := map[forward.State]int{}, 0, 0
	for _, p := range f.node.Peers() {
		states[p.State]++
		requests, sockets = requests+p.Forwards, sockets+p.WebSockets
	}
	for state := forward.Connecting; state <= forward.Self; state++ {
		gauge(forwardPeers, states[state], state.String())
	}
	gauge(forwardUnderWay, requests, "request")
	gauge(forwardUnderWay, sockets, "websocket")
	count(forwardRequests, s.Sent, "sent")
	count(forwardRequests, s.Received, "received")
	for reason, n := range s.Failed {
		count(forwardFailed, n, reason)
	}
	for reason, n := range s.Refused {
		count(forwardRefused, n, reason)
	}
	count(forwardAbandoned, s.Gone)
	count(forwardSockets, s.WebSockets)
	count(forwardLinks, s.Dials, "dialed")
	count(forwardLinks, s.Links, "accepted")
	count(forwardBytes, s.AnswerBytes, "answer")
	count(forwardBytes, s.UpBytes, "up")
	count(forwardBytes, s.DownBytes, "down")
	count(forwardMalformed, s.Malformed)
	count(forwardLosses, s.Losses)
}
