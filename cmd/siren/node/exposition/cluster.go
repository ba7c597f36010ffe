package exposition

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed58c87869/siren/room/cluster"
)

// clusterNumbers tells the numbers of the adapter that joins the node to its cluster.
type clusterNumbers struct{ adapter cluster.HealthReporter }

var (
	clusterState = prometheus.NewDesc("siren_cluster_state", "1 for the present state of the connection to the broker.",
		[]string{"state"}, nil)
	clusterPublished = prometheus.NewDesc("siren_cluster_published_total", "Messages that the broker took from the node.", nil, nil)
	clusterReceived  = prometheus.NewDesc("siren_cluster_received_total", "Messages of other nodes.", nil, nil)
	clusterSentBytes = prometheus.NewDesc("siren_cluster_published_bytes_total", "Bytes of the messages to the broker.", nil, nil)
	clusterGotBytes  = prometheus.NewDesc("siren_cluster_received_bytes_total", "Bytes of the messages of other nodes.", nil, nil)
	clusterDropped   = prometheus.NewDesc("siren_cluster_dropped_total", "Messages between nodes that were dropped, by reason.",
		[]string{"reason"}, nil)
	clusterMalformed = prometheus.NewDesc("siren_cluster_malformed_total",
		"Messages on the cluster's channels that could not be decoded.", nil, nil)
	clusterOutages = prometheus.NewDesc("siren_cluster_outages_total", "Times that the connection to the broker was lost.", nil, nil)
	clusterQueued  = prometheus.NewDesc("siren_cluster_queue_messages", "Messages that wait for the broker.", nil, nil)
	clusterBytes   = prometheus.NewDesc("siren_cluster_queue_bytes", "Bytes of the messages that wait for the broker.", nil, nil)
)

// Describe implements prometheus.Collector.
func (*clusterNumbers) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		clusterState, clusterPublished, clusterReceived, clusterSentBytes, clusterGotBytes,
		clusterDropped, clusterMalformed, clusterOutages, clusterQueued, clusterBytes,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *clusterNumbers) Collect(ch chan<- prometheus.Metric) {
	s, now := c.adapter.Stats(), c.adapter.Health().State
	for state := cluster.Connecting; state <= cluster.Closed; state++ {
		one := 0.0
		if state == now {
			one = 1
		}
		ch <- prometheus.MustNewConstMetric(clusterState, prometheus.GaugeValue, one, state.String())
	}
	for _, m := range []struct {
		desc   *prometheus.Desc
		kind   prometheus.ValueType
		value  uint64
		labels []string
	}{
		{clusterPublished, prometheus.CounterValue, s.Published, nil},
		{clusterReceived, prometheus.CounterValue, s.Received, nil},
		{clusterSentBytes, prometheus.CounterValue, s.PublishedBytes, nil},
		{clusterGotBytes, prometheus.CounterValue, s.ReceivedBytes, nil},
		{clusterDropped, prometheus.CounterValue, s.DroppedFull, []string{"queue_full"}},
		{clusterDropped, prometheus.CounterValue, s.DroppedDown, []string{"down"}},
		{clusterDropped, prometheus.CounterValue, s.DroppedUnknown, []string{"unknown"}},
		{clusterDropped, prometheus.CounterValue, s.DroppedInvalid, []string{"invalid"}},
		{clusterDropped, prometheus.CounterValue, s.DroppedBehind, []string{"behind"}},
		{clusterMalformed, prometheus.CounterValue, s.Malformed, nil},
		{clusterOutages, prometheus.CounterValue, s.Outages, nil},
		{clusterQueued, prometheus.GaugeValue, uint64(max(0, s.Queued)), nil},
		{clusterBytes, prometheus.GaugeValue, uint64(max(0, s.QueuedBytes)), nil},
	} {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.value), m.labels...)
	}
}
