package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed58c87869/siren/server"
)

// scrape is one collection.
type scrape struct{ ch chan<- prometheus.Metric }

// put tells the value of a metric.
func (s scrape) put(m *metric, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

func (s scrape) count(m *metric, n uint64, labels ...string) { s.put(m, float64(n), labels...) }

// putHistogram tells a distribution. Prometheus counts in each bucket what is in those below, too.
func (s scrape) putHistogram(m *metric, h *server.Histogram, labels ...string) {
	buckets := make(map[float64]uint64, len(h.Bounds))
	var n uint64
	for i, bound := range h.Bounds {
		n += h.Counts[i]
		buckets[bound] = n
	}
	s.ch <- prometheus.MustNewConstHistogram(m.desc, h.Count(), h.Sum, buckets, labels...)
}

func (s scrape) reasons(m *metric, counts map[string]uint64) {
	for reason, n := range counts {
		s.count(m, n, reason)
	}
}

// Values of labels.
const (
	resultOK      = "ok"
	resultRefused = "refused"
	resultDenied  = "denied"
	resultFailed  = "failed"
	unknown       = "unknown"
)

func (s scrape) sessions(st *server.Stats) {
	for i, t := range []server.Transport{server.Polling, server.WebSocket} {
		s.count(handshakes, st.Sessions.OpenedOn[i], t.String(), resultOK)
		s.count(handshakes, st.Sessions.HandshakesRefused[i], t.String(), resultRefused)
	}
	s.count(handshakes, st.Sessions.HandshakesRefused[len(st.Sessions.OpenedOn)], unknown, resultRefused)
	s.count(upgrades, st.Sessions.Upgraded, resultOK)
	s.count(upgrades, st.Sessions.UpgradeFailed+st.Sessions.UpgradesRefused, resultRefused)
}

// loops tells the sums of what the loops count, and what each of them has.
func (s scrape) loops(loops []server.LoopStats) {
	var sum server.LoopStats
	for i := range loops {
		l := &loops[i]
		sum.Polling += l.Polling
		sum.WebSockets += l.WebSockets
		sum.QueueBytes += l.QueueBytes
		sum.ReceivedPackets += l.ReceivedPackets
		sum.SentPackets += l.SentPackets
		sum.ReceivedBytes += l.ReceivedBytes
		sum.SentBytes += l.SentBytes
		sum.AckTimeouts += l.AckTimeouts
		for r, n := range l.Ended {
			sum.Ended[r] += n
		}
		add(&sum.Recipients, &l.Recipients)
		label := strconv.Itoa(l.Loop)
		s.put(mailbox, float64(l.Mailbox), label)
		s.putHistogram(lag, &l.Lags, label)
	}
	s.put(connections, float64(sum.Polling), server.Polling.String())
	s.put(connections, float64(sum.WebSockets), server.WebSocket.String())
	s.put(queueBytes, float64(sum.QueueBytes))
	s.count(received, sum.ReceivedPackets)
	s.count(sent, sum.SentPackets)
	s.count(receivedBytes, sum.ReceivedBytes)
	s.count(sentBytes, sum.SentBytes)
	s.count(ackTimeouts, sum.AckTimeouts)
	for r, n := range sum.Ended {
		if r > 0 {
			s.count(disconnects, n, server.Reason(r).Label())
		}
	}
	s.putHistogram(recipients, &sum.Recipients)
}

// add adds a distribution to another one of the same thing.
func add(sum, h *server.Histogram) {
	if sum.Counts == nil {
		sum.Bounds, sum.Counts = h.Bounds, make([]uint64, len(h.Counts))
	}
	sum.Sum += h.Sum
	for i, n := range h.Counts {
		sum.Counts[i] += n
	}
}

func (s scrape) namespaces(all []server.NamespaceStats) {
	for i := range all {
		ns := &all[i]
		s.count(connects, ns.Refused, ns.Name, resultRefused)
		if ns.Name == server.UnknownNamespaces {
			continue
		}
		s.put(sockets, float64(ns.Sockets), ns.Name)
		s.put(rooms, float64(ns.Rooms), ns.Name)
		s.count(connects, ns.Connected, ns.Name, resultOK)
		s.count(connects, ns.Denied, ns.Name, resultDenied)
		s.count(connects, ns.Failed, ns.Name, resultFailed)
		s.count(broadcasts, ns.Broadcasts, ns.Name)
		if ns.Handlers.Count() > 0 { // there are many series in it
			s.putHistogram(handlers, &ns.Handlers, ns.Name)
		}
	}
}

// positive is for counters that are signed.
func positive(n int64) uint64 { return uint64(max(n, 0)) }

func (s scrape) poller(st *server.Stats) {
	s.count(writes, positive(st.Poller.Writes))
	s.put(blocked, float64(st.Poller.Blocked))
	s.count(writeTimeouts, positive(st.Poller.WriteTimeouts+st.Poller.FlushTimeouts))
}

func (s scrape) process(st *server.Stats) {
	s.count(unhandled, st.Unhandled)
	s.count(panics, st.Panics+st.Sessions.HookPanics)
	s.count(failures, st.Failures)
	s.put(running, float64(st.Handlers))
	s.count(recoveries, st.Recovered, resultOK)
	s.count(recoveries, st.NotRecovered, resultRefused)
	s.put(memoryHeld, float64(st.MemoryHeld))
	s.put(memoryBudget, float64(max(st.MemoryBudget, 0)))
	s.count(logRecords, st.LogsDropped, "queue_full")
	s.count(logRecords, st.LogsThrottled, "throttled")
	s.count(logRecords, st.LogsFailed, "not_written")
}
