package bench

// unit names what a scenario counts, for the names of its figures.
type unit struct {
	prefix    string // of all names, with its own end
	one, many string
}

var (
	unitMessage   = unit{one: "message", many: "messages"}
	unitHandshake = unit{one: "handshake", many: "handshakes"}
	unitTrip      = unit{one: "round trip", many: "round trips"}
	unitUpgrade   = unit{one: "upgrade", many: "upgrades"}
	unitReturn    = unit{one: "return", many: "returns"}
)

// ClientBound ends the name of a rate that the client has limited, not the server.
const ClientBound = " per second that this client took"

// at puts a phase in front of the names.
func (u unit) at(phase string) unit {
	u.prefix = phase + ": "
	return u
}

// server returns the name of the CPU figure.
func (u unit) server() string { return u.prefix + "server CPU per " + u.one }

// window adds the figures of one window, unless it was interrupted. The rate of a paced one was requested, so it is
// neither good nor bad.
func (g *gauges) window(u unit, b *Burst, paced bool) {
	if b.Interrupted {
		return
	}
	rate := BetterHigher
	if paced {
		rate = ""
	}
	if b.Rate != nil {
		g.of(u.prefix+u.many+" per second", "1/s", rate).add(*b.Rate)
	}
	if b.ClientBoundRate != nil {
		g.of(u.prefix+u.many+ClientBound, "1/s", "").add(*b.ClientBoundRate)
	}
	if l := b.Latency; l != nil {
		g.of(u.prefix+"latency p50", "us", BetterLower).add(l.P50)
		g.of(u.prefix+"latency p90", "us", BetterLower).add(l.P90)
		g.of(u.prefix+"latency p99", "us", BetterLower).add(l.P99)
		g.of(u.prefix+"latency p99.9", "us", BetterLower).add(l.P999)
		g.of(u.prefix+"latency max", "us", BetterLower).add(l.Max)
	}
	if b.Delivered == 0 {
		return
	}
	if b.Server != nil {
		g.of(u.server(), "us", BetterLower).add(b.Server.PerMessage)
	}
	client := (b.Client.User + b.Client.System) * 1e6 / float64(b.Delivered)
	g.of(u.prefix+"client CPU per "+u.one, "us", "").add(client)
	g.of(u.prefix+"client loop busy", "", "").add(b.Client.Busy)
}

// floorWindow adds the figures of a floor that can be compared with a server's.
func (g *gauges) floorWindow(u unit, b *Burst, paced bool) {
	if b.Server == nil || b.Delivered == 0 {
		return
	}
	g.of(u.server(), "us", BetterLower).addFloor(b.Server.PerMessage)
	if l := b.Latency; l != nil && paced {
		g.of(u.prefix+"latency p50", "us", BetterLower).addFloor(l.P50)
		g.of(u.prefix+"latency p99", "us", BetterLower).addFloor(l.P99)
	}
	if b.Rate != nil && !paced {
		g.of(u.prefix+u.many+" per second", "1/s", BetterHigher).addFloor(*b.Rate)
	}
}
