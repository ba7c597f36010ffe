package metrics

import "github.com/prometheus/client_golang/prometheus"

// metric is one of the metrics. Immutable.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// all has the metrics of a Collector.
var all []*metric

func define(kind prometheus.ValueType, name, help string, labels ...string) *metric {
	m := &metric{prometheus.NewDesc("siren_"+name, help, labels, nil), kind}
	all = append(all, m)
	return m
}

func gauge(name, help string, labels ...string) *metric {
	return define(prometheus.GaugeValue, name, help, labels...)
}

func counter(name, help string, labels ...string) *metric {
	return define(prometheus.CounterValue, name+"_total", help, labels...)
}

func histogram(name, help string, labels ...string) *metric {
	return define(prometheus.UntypedValue, name, help, labels...)
}

// The metrics. docs/metrics.md says more about each of them.
var (
	connections = gauge("connections", "Sessions that are open now, by their transport.", "transport")
	handshakes  = counter("handshakes", "Requests for a new session, by transport and result.", "transport", "result")
	upgrades    = counter("upgrades", "Attempts to upgrade a polling session to a WebSocket, by result.", "result")
	disconnects = counter("disconnects", "Sockets that ended after they were connected, by reason.", "reason")

	received      = counter("received_packets", "Engine.IO packets received.")
	receivedBytes = counter("received_bytes", "Bytes read from connections.")
	sent          = counter("sent_packets", "Engine.IO packets queued for clients.")
	sentBytes     = counter("sent_bytes", "Bytes written to connections.")
	writes        = counter("writes", "System calls that write; sent packets over writes is how many share one.")
	queueBytes    = gauge("queue_bytes", "Bytes that wait for clients to take them.")
	blocked       = gauge("blocked_connections", "Connections whose client does not read what is sent.")
	writeTimeouts = counter("write_timeouts", "Connections closed because their client took nothing for too long.")

	sockets    = gauge("sockets", "Sockets that are connected now.", "namespace")
	rooms      = gauge("rooms", "Rooms that have members now.", "namespace")
	connects   = counter("connects", "Attempts to connect to a namespace, by result.", "namespace", "result")
	broadcasts = counter("broadcasts", "Events sent to many sockets.", "namespace")
	recipients = histogram("broadcast_recipients", "Sockets of this node that a broadcast was for.")
	handlers   = histogram("handler_seconds", "Time that handlers of events took, of one event in 32.", "namespace")

	ackTimeouts = counter("ack_timeouts", "Acknowledgements that did not come in time.")
	unhandled   = counter("unhandled_events", "Events that no handler was there for.")
	panics      = counter("handler_panics", "Panics of handlers and hooks.")
	failures    = counter("handler_errors", "Errors that handlers returned.")
	running     = gauge("handlers", "Goroutines that run handlers now.")
	recoveries  = counter("recoveries", "Clients that came back to recover their state, by result.", "result")

	dropped = counter("dropped", "What was accepted and then dropped, by reason.", "reason")
	refused = counter("refused", "Connections and sessions that were refused, by reason.", "reason")

	lag     = histogram("loop_lag_seconds", "How far an event loop is behind, measured ten times a second.", "loop")
	mailbox = gauge("loop_mailbox", "Tasks that wait for an event loop now.", "loop")

	memoryHeld   = gauge("memory_held_bytes", "Memory that clients hold, as the memory budget counts it.")
	memoryBudget = gauge("memory_budget_bytes", "The memory budget; 0 without one.")
	logRecords   = counter("log_records_lost", "Records of the log that were left out or not written, by reason.", "reason")
)

// droppedReasons and refusedReasons are the reasons that are always told.
var (
	droppedReasons = []string{
		"events_per_second", "bytes_per_second", "rooms_per_socket", "queue_full", "volatile", "memory", "webhook_queue",
		"admin_ui",
	}
	refusedReasons = []string{
		"connections", "connections_per_address", "accepts_per_second", "draining", "descriptors", "memory",
	}
)
