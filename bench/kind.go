package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Kind names a scenario.
type Kind string

// The scenarios.
const (
	// KindFanout publishes to all subscribers and checks every delivery.
	KindFanout Kind = "fanout"
	// KindConnect opens and ends sessions.
	KindConnect Kind = "connect"
	// KindIdle holds sessions that do nothing.
	KindIdle Kind = "idle"
	// KindEcho sends events that are acknowledged with what they carry.
	KindEcho Kind = "echo"
	// KindPolling is connect, fan-out and echo over long-polling.
	KindPolling Kind = "polling"
	// KindUpgrade moves sessions from long-polling to WebSocket, at rest and
	// while messages are coming.
	KindUpgrade Kind = "upgrade"
	// KindStorm cuts all sessions at once and reopens them at once.
	KindStorm Kind = "storm"
	// KindSlow compares a fan-out with one in which some do not read.
	KindSlow Kind = "slow"
	// KindRooms publishes to rooms of growing size.
	KindRooms Kind = "rooms"
	// KindGame plays many small games at once: rooms of a few players, each of which sends to the others.
	KindGame Kind = "game"
	// KindFloor measures the bare epoll loop alone.
	KindFloor Kind = "floor"
	// KindProfile is the load of a profile, which package profile makes. Run does not know it.
	KindProfile Kind = "profile"
)

// kinds has all scenarios, in the order of the documentation.
var kinds = []Kind{KindFanout, KindConnect, KindIdle, KindEcho, KindPolling, KindUpgrade, KindStorm, KindSlow, KindRooms, KindGame, KindFloor}

// kindFaults checks what the scenario allows.
func (c Config) kindFaults() []string {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if !slices.Contains(kinds, c.Kind) {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = string(k)
		}
		add("scenario must be one of %s, not %q", strings.Join(names, ", "), c.Kind)
	}
	if c.Duration < 0 || c.Duration > durationMax {
		add("duration must be above 0, up to %v, not %v", durationMax, c.Duration)
	}
	if !(c.SlowPercent > 0 && c.SlowPercent < 100) {
		add("slow must be between 0 and 100 percent, not %v", c.SlowPercent)
	}
	if c.Kind != KindFanout && c.Transport == TransportUpgrade {
		add("transport %s is for the scenario %s; there is a scenario %s", c.Transport, KindFanout, KindUpgrade)
	}
	fixed := c.Kind == KindStorm || c.Kind == KindSlow || c.Kind == KindGame || c.Kind == KindFloor
	if fixed && c.Transport == TransportPolling {
		add("the scenario %s has sessions over %s alone", c.Kind, TransportWebSocket)
	}
	if c.Kind == KindEcho && c.Transport == TransportPolling && c.Rate == 0 && c.Concurrency > c.Subscribers {
		add("concurrency over %s must not exceed the sessions", TransportPolling)
	}
	if c.Kind == KindGame && (c.Members < 2 || c.Members > membersMax || c.Size < movePadAt || c.Subscribers > gamePlayersMax) {
		add("a game has 2 to %d members, messages of %d bytes or more, and up to %d players", membersMax, movePadAt, gamePlayersMax)
	}
	if c.Kind == KindGame && c.Rate > gameRateMax {
		add("rate must be up to %d moves a second of each player, not %d", gameRateMax, c.Rate)
	}
	if c.Processes > 1 && len(c.Command) == 0 {
		add("several client processes need a command that starts them")
	}
	return wrong
}

// loops returns the number of client loops in all processes together.
func (c Config) loops() int { return max(1, c.Processes) * max(1, c.Workers) }

// slow returns the number of subscribers that stop reading.
func (c Config) slow() int {
	return min(c.Subscribers, max(1, int(math.Round(float64(c.Subscribers)*c.SlowPercent/100))))
}

// descriptors returns the greatest number of file descriptors that one client process needs: a connection for each of
// its sessions, a second one for those that upgrade, as many again for the floor, and its own.
func (c Config) descriptors() int {
	const own = 32 + floorPriming
	upgrades := c.Upgrade
	if c.Kind == KindUpgrade {
		upgrades = c.Subscribers
	}
	sessions := c.Subscribers + upgrades
	if c.Floor {
		sessions += c.Subscribers
	}
	processes := max(1, c.Processes)
	return (sessions+processes-1)/processes + 1 + 2*c.Workers + own
}

// withProcesses chooses the number of client processes: as few as the limit of open files allows.
func (c Config) withProcesses(limit uint64) Config {
	if c.Processes > 0 {
		return c
	}
	for c.Processes = 1; c.Processes < processesMax && len(c.Command) > 0; c.Processes++ {
		if uint64(c.descriptors()) <= limit {
			break
		}
	}
	return c
}

// part returns the configuration of one client process.
func (c Config) part(i int) Config {
	n := max(1, c.Processes)
	c.Subscribers = share(c.Subscribers, n, i)
	c.Upgrade = share(c.Upgrade, n, i)
	return c
}
