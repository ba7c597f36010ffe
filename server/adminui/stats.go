package adminui

import (
	"context"
	"os"
	"time"

	"github.com/seed58c87869/siren/server"
)

// The times of the numbers: how often they are taken, every how many of these a UI gets them, and how long taking them
// waits for loops that are busy.
const (
	tickTime   = time.Second
	statsTicks = 2
	probeTime  = 500 * time.Millisecond
)

// aggregated counts what happened in a second.
type aggregated struct {
	Timestamp int64  `json:"timestamp"`
	Type      string `json:"type"`
	SubType   string `json:"subType,omitempty"`
	Count     uint64 `json:"count"`
}

// serverStats is the argument of server_stats.
type serverStats struct {
	ServerID            string            `json:"serverId"`
	Hostname            string            `json:"hostname"`
	PID                 int               `json:"pid"`
	Uptime              float64           `json:"uptime"`
	ClientsCount        int               `json:"clientsCount"`
	PollingClientsCount int               `json:"pollingClientsCount"`
	AggregatedEvents    []aggregated      `json:"aggregatedEvents"`
	Namespaces          []namespaceSocket `json:"namespaces"`
}

type namespaceSocket struct {
	Name         string `json:"name"`
	SocketsCount int    `json:"socketsCount"`
}

// totals are counters of the server since its start.
type totals struct {
	opened, packetsIn, bytesIn, packetsOut, bytesOut uint64
	closed                                           [reasons]uint64
	clients, polling                                 int
}

// reasons is the number of reasons of a session's end.
const reasons = len(server.Stats{}.Sessions.Closed)

func (u *UI) totals() (t totals) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	for _, l := range u.srv.LoopStats(ctx) {
		t.packetsIn += l.ReceivedPackets
		t.packetsOut += l.SentPackets
		t.bytesIn += l.ReceivedBytes
		t.bytesOut += l.SentBytes
		t.clients += l.Polling + l.WebSockets
		t.polling += l.Polling
	}
	s := u.srv.Stats().Sessions
	t.opened, t.closed = s.Opened, s.Closed
	return t
}

// meter collects what happens each second. It belongs to the goroutine of the UI.
type meter struct {
	last    totals
	running bool
	// waiting is what no UI was sent yet.
	waiting []aggregated
}

// begin starts to count.
func (m *meter) begin(now totals) { *m = meter{last: now, running: true} }

// note adds what happened since it was called before, in the second that begins at a time.
func (m *meter) note(now totals, at time.Time) {
	then := m.last
	m.last = now
	add := func(kind, sub string, before, after uint64) {
		if after > before {
			m.waiting = append(m.waiting, aggregated{at.Unix() * 1000, kind, sub, after - before})
		}
	}
	add("rawConnection", "", then.opened, now.opened)
	for i := range now.closed {
		add("rawDisconnection", server.Reason(i).String(), then.closed[i], now.closed[i])
	}
	add("packetsIn", "", then.packetsIn, now.packetsIn)
	add("bytesIn", "", then.bytesIn, now.bytesIn)
	add("packetsOut", "", then.packetsOut, now.packetsOut)
	add("bytesOut", "", then.bytesOut, now.bytesOut)
}

// stats are the numbers of this node.
func (u *UI) stats(now totals, events []aggregated) *serverStats {
	if events == nil {
		events = []aggregated{}
	}
	s := &serverStats{
		ServerID: u.o.ServerID, Hostname: u.host, PID: os.Getpid(), Uptime: time.Since(u.started).Seconds(),
		ClientsCount: now.clients, PollingClientsCount: now.polling, AggregatedEvents: events, Namespaces: []namespaceSocket{},
	}
	for _, ns := range u.srv.Namespaces() {
		if len(s.Namespaces) == u.o.MaxNamespaces {
			break
		}
		s.Namespaces = append(s.Namespaces, namespaceSocket{ns.Name(), ns.SocketCount()})
	}
	return s
}
