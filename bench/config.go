package bench

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Transport names how the subscribers of a run talk to the server.
type Transport string

// The transports of a run.
const (
	// TransportWebSocket opens a WebSocket straight away.
	TransportWebSocket Transport = "websocket"
	// TransportPolling stays on HTTP long-polling.
	TransportPolling Transport = "polling"
	// TransportUpgrade starts on long-polling; Config.Upgrade of the subscribers upgrade to WebSocket during the
	// broadcasts.
	TransportUpgrade Transport = "upgrade"
)

// Defaults of Config, used where a field is zero.
const (
	DefaultSubscribers = 1000
	DefaultBroadcasts  = 100
	DefaultSize        = 128
	DefaultTimeout     = 2 * time.Minute
	DefaultStall       = 15 * time.Second
	DefaultInFlight    = 128
	DefaultDuration    = 5 * time.Second
	DefaultSlowPercent = 1
	DefaultMembers     = 1000
	DefaultPlayers     = 6
	DefaultMoves       = 5
	DefaultMoveSize    = 40
)

// Limits of Config.
const (
	sizeMin        = 32            // the header of a tick needs 32 characters
	sizeMax        = 16 << 20      // bytes of one tick
	broadcastsMax  = 1_000_000_000 // fits the ten digits of a tick number
	subscribersMax = 1_000_000
	repeatMax      = 1000
	workersMax     = 64
	processesMax   = 256
	rateMax        = 10_000_000
	durationMax    = 24 * time.Hour
	gapMax         = time.Hour
)

// Every error of Config.Validate wraps ErrConfig.
var ErrConfig = errors.New("bench: invalid configuration")

// Config describes one run. It is a plain value; Run does not change it.
type Config struct {
	// Kind is the scenario, KindFanout if empty.
	Kind Kind
	// URL of the server: http://host:port with an optional path, which is
	// "/socket.io/" when absent. KindFloor needs none.
	URL string
	// Vocabulary is the vocabulary of the server. If it is empty, Run asks the server.
	Vocabulary Vocabulary `json:",omitempty"`
	// Subscribers is the number of receiving sessions, DefaultSubscribers if 0.
	Subscribers int
	// Broadcasts is the number of ticks of one burst, DefaultBroadcasts if 0.
	Broadcasts int
	// Size is the length of a tick's text in bytes, at least 32,
	// DefaultSize if 0.
	Size int
	// Gap is the time between two ticks in whole microseconds; 0 publishes
	// them back to back.
	Gap time.Duration
	// Transport of the subscribers, TransportWebSocket if empty. The
	// publisher always uses WebSocket.
	Transport Transport
	// Upgrade is how many subscribers upgrade when Transport is
	// TransportUpgrade; all of them if 0.
	Upgrade int
	// All publishes to the whole namespace instead of the room "all";
	// subscribers do not join then, and the publisher receives too.
	All bool
	// PIDs are the server's processes, for CPU and memory. When empty, the
	// owner of the listening port is looked up if the server is local.
	PIDs []int
	// ConnectRate bounds new subscribers per second; 0 means no bound but
	// InFlight.
	ConnectRate int
	// Retry opens sessions again that failed to connect, until the run's Timeout: a server may refuse some for a moment,
	// or lack room where the kernel has sent them. The attempts are counted. The publisher's failure is final.
	Retry bool
	// InFlight bounds unfinished handshakes per worker, DefaultInFlight if 0.
	InFlight int
	// Repeat is the number of bursts, 1 if 0.
	Repeat int
	// Workers is the number of client loops, 1 if 0.
	Workers int
	// Timeout bounds the whole run, DefaultTimeout if 0.
	Timeout time.Duration
	// Stall is how long a burst may make no progress before missing deliveries count as lost, DefaultStall if 0. Gap is
	// added to it.
	Stall time.Duration
	// Warmup is the number of rounds before those that count.
	Warmup int
	// Duration of one round of KindEcho and KindGame, and of the holding of KindIdle,
	// DefaultDuration if 0.
	Duration time.Duration
	// Concurrency is the number of echoes in flight at a time, one per session if 0. It is not used with a Rate.
	Concurrency int
	// Rate is the number of echoes per second in an open loop, however many are in flight. If it is 0, the loop is closed:
	// the answer to one echo triggers the next.
	// In KindGame it is the number of messages that each player sends per second, DefaultMoves if 0.
	Rate int
	// SlowPercent is the percentage of the subscribers of KindSlow that stop reading, DefaultSlowPercent if 0. At least
	// one does.
	SlowPercent float64
	// Members is the smallest room of KindRooms, DefaultMembers if 0, and the
	// size of the rooms of KindGame, DefaultPlayers if 0.
	Members int
	// Processes is the number of client processes. If it is 0, it follows from the limit of file descriptors.
	Processes int
	// Floor repeats every round against a bare epoll loop, so that its figures can be compared with the cost of the
	// kernel. It needs Command and a server on this machine.
	Floor bool
	// Command starts a process that calls Child. Without it, there is no floor and only one client process.
	Command []string `json:"-"`
	// Progress, if set, is called with the progress of the present phase, on the goroutine of Run.
	Progress func(Progress) `json:"-"`
}

// withDefaults returns the configuration with its zero fields filled in.
func (c Config) withDefaults() Config {
	if c.Kind == KindGame {
		setDefault(&c.Members, max(2, min(DefaultPlayers, cmp.Or(c.Subscribers, DefaultSubscribers))))
		setDefault(&c.Rate, DefaultMoves)
		setDefault(&c.Size, DefaultMoveSize)
	}
	setDefault(&c.Subscribers, DefaultSubscribers)
	setDefault(&c.Broadcasts, DefaultBroadcasts)
	setDefault(&c.Size, DefaultSize)
	setDefault(&c.InFlight, DefaultInFlight)
	setDefault(&c.Repeat, 1)
	setDefault(&c.Workers, 1)
	setDefault(&c.Timeout, DefaultTimeout)
	setDefault(&c.Stall, DefaultStall)
	setDefault(&c.Transport, TransportWebSocket)
	setDefault(&c.Kind, KindFanout)
	setDefault(&c.Duration, DefaultDuration)
	setDefault(&c.Concurrency, c.Subscribers)
	setDefault(&c.SlowPercent, DefaultSlowPercent)
	setDefault(&c.Members, min(DefaultMembers, c.Subscribers))
	if c.Transport == TransportUpgrade {
		setDefault(&c.Upgrade, c.Subscribers)
	}
	return c
}

// setDefault replaces a zero value.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate checks the configuration as Run would use it, with defaults filled
// in. Its errors wrap ErrConfig and name every offending field.
func (c Config) Validate() error {
	c = c.withDefaults()
	var wrong []string
	within := func(name string, value, low, high int) {
		if value < low || value > high {
			wrong = append(wrong, fmt.Sprintf("%s must be %d to %d, not %d", name, low, high, value))
		}
	}
	if _, err := parseTarget(c.URL); err != nil && c.Kind != KindFloor {
		wrong = append(wrong, err.Error())
	}
	within("subscribers", c.Subscribers, 1, subscribersMax)
	within("broadcasts", c.Broadcasts, 1, broadcastsMax)
	within("size", c.Size, sizeMin, sizeMax)
	within("repeat", c.Repeat, 1, repeatMax)
	within("workers", c.Workers, 1, workersMax)
	within("in-flight", c.InFlight, 1, subscribersMax)
	within("connect-rate", c.ConnectRate, 0, subscribersMax)
	if c.Gap < 0 || c.Gap > gapMax || c.Gap%time.Microsecond != 0 {
		wrong = append(wrong, fmt.Sprintf("gap must be 0 to %v in whole microseconds, not %v", gapMax, c.Gap))
	}
	if c.Timeout < 0 || c.Stall < 0 {
		wrong = append(wrong, "timeout and stall must not be negative")
	}
	within("warmup", c.Warmup, 0, repeatMax)
	within("concurrency", c.Concurrency, 1, subscribersMax)
	within("rate", c.Rate, 0, rateMax)
	within("members", c.Members, 1, c.Subscribers)
	within("processes", c.Processes, 0, processesMax)
	wrong = append(wrong, c.kindFaults()...)
	for _, pid := range c.PIDs {
		within("pid", pid, 1, 1<<22)
	}
	wrong = append(wrong, c.transportFaults()...)
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s", ErrConfig, strings.Join(wrong, "; "))
	}
	return nil
}

// transportFaults checks Transport together with Upgrade.
func (c Config) transportFaults() []string {
	switch c.Transport {
	case TransportWebSocket, TransportPolling:
		if c.Upgrade != 0 {
			return []string{"upgrade needs the transport " + string(TransportUpgrade)}
		}
	case TransportUpgrade:
		if c.Upgrade < 1 || c.Upgrade > c.Subscribers {
			return []string{fmt.Sprintf("upgrade must be 1 to %d (subscribers), not %d", c.Subscribers, c.Upgrade)}
		}
	default:
		return []string{fmt.Sprintf("transport must be %s, %s or %s, not %q",
			TransportWebSocket, TransportPolling, TransportUpgrade, c.Transport)}
	}
	return nil
}
