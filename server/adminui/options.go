package adminui

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Mode says how much the UI is told.
type Mode string

const (
	// Production tells the numbers of the nodes, but no single sockets and events.
	Production Mode = "production"
	// Development tells everything. Each event of each client costs an event to the UI.
	Development Mode = "development"
)

// Options are the settings of Instrument. The zero value of a field means its default.
type Options struct {
	// Namespace is the namespace of the UI. Default "/admin".
	Namespace string
	// Username and PasswordBcrypt are what people sign in with. The second is a bcrypt hash of the password.
	Username, PasswordBcrypt string
	// Anonymous lets everybody in who can reach the server, in place of a name and a password.
	Anonymous bool
	// ReadOnly refuses all commands. The UI still sees everything.
	ReadOnly bool
	// Mode is Production by default.
	Mode Mode
	// ServerID names this node in the UI, and must be another one for each node. Default: the host's name and the
	// number of the process.
	ServerID string
	// Store keeps the sessions of people who have signed in. Default: in memory, for SessionTime.
	Store Store
	// SessionTime is how long the default Store lets somebody come back without a password. Default: a day, as in the
	// reference's store in Redis. Its store in memory keeps sessions for ever.
	SessionTime time.Duration
	// Hide names the header fields and query parameters that the UI is not told, in any case of letters. The reference
	// tells all. Default: those that usually have secrets, see DefaultHide.
	Hide []string
	// MaxSockets is the number of sockets that the UI is told of, in the mode Development, and MaxListBytes the size of
	// the list of them that a UI gets when it connects. The reference has no bound: with 100,000 sockets its list has
	// 100 MB. Defaults 10,000 and 1 MiB; the latter should be half of the server's Queue.MaxBytes or less.
	MaxSockets, MaxListBytes int
	// MaxNamespaces is the number of namespaces that the UI is told of. Clients can make very many. Default 1,000.
	MaxNamespaces int
	// EventsPerSecond and BytesPerSecond bound what the UI is told of single events, in the mode Development: a
	// broadcast to 10,000 sockets is 10,000 events for the UI. Defaults 1,000 and 1 MiB.
	EventsPerSecond, BytesPerSecond int
	// MaxLogins is the number of people who may wait for their password to be checked. A check takes about 0.1 s of a
	// processor, so only two run at a time. Default 16: who waits behind them is served within a second.
	MaxLogins int
	// Logger gets a line for each command of the UI. Default: discards everything.
	Logger *slog.Logger

	// manual leaves it to the caller to call tick, for tests.
	manual bool
}

// DefaultHide are the header fields and query parameters that the UI is not told by default.
var DefaultHide = []string{
	"authorization", "cookie", "proxy-authorization", "x-api-key", "token", "access_token", "api_key", "apikey", "password", "secret",
}

const (
	namespaceDefault       = "/admin"
	sessionTimeDefault     = 24 * time.Hour
	maxSocketsDefault      = 10_000
	maxListBytesDefault    = 1 << 20
	maxNamespacesDefault   = 1_000
	eventsPerSecondDefault = 1_000
	bytesPerSecondDefault  = 1 << 20
	maxLoginsDefault       = 16
)

// costMax is the greatest cost of a hash. Each step doubles the time of a check: 16 takes seconds.
const costMax = 16

// checkHash tells what is wrong with a hash for Options.PasswordBcrypt.
func checkHash(hash string) error {
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case err != nil:
		return errors.New("is no bcrypt hash, such as $2b$10$…")
	case cost > costMax:
		return fmt.Errorf("has the cost %d; a check would take too long, at most %d is allowed", cost, costMax)
	}
	return nil
}

// settle fills in the defaults. Errors name the field.
func (o Options) settle() (Options, error) {
	if o.Namespace == "" {
		o.Namespace = namespaceDefault
	}
	if !strings.HasPrefix(o.Namespace, "/") || o.Namespace == "/" {
		return o, fmt.Errorf("adminui: Options.Namespace = %q must begin with a slash, and be more than that", o.Namespace)
	}
	switch {
	case o.Anonymous && (o.Username != "" || o.PasswordBcrypt != ""):
		return o, errors.New("adminui: Options.Anonymous excludes Username and PasswordBcrypt")
	case !o.Anonymous && o.Username == "":
		return o, errors.New("adminui: Options.Username is missing")
	case !o.Anonymous:
		if err := checkHash(o.PasswordBcrypt); err != nil {
			return o, fmt.Errorf("adminui: Options.PasswordBcrypt %w", err)
		}
	}
	switch o.Mode {
	case "":
		o.Mode = Production
	case Production, Development:
	default:
		return o, fmt.Errorf("adminui: Options.Mode = %q must be %q or %q", o.Mode, Production, Development)
	}
	for _, n := range []struct {
		name  string
		value *int
		def   int
	}{
		{"MaxSockets", &o.MaxSockets, maxSocketsDefault}, {"MaxListBytes", &o.MaxListBytes, maxListBytesDefault},
		{"MaxNamespaces", &o.MaxNamespaces, maxNamespacesDefault},
		{"EventsPerSecond", &o.EventsPerSecond, eventsPerSecondDefault},
		{"BytesPerSecond", &o.BytesPerSecond, bytesPerSecondDefault}, {"MaxLogins", &o.MaxLogins, maxLoginsDefault},
	} {
		if *n.value < 0 {
			return o, fmt.Errorf("adminui: Options.%s = %d is negative", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.def
		}
	}
	if o.SessionTime < 0 {
		return o, fmt.Errorf("adminui: Options.SessionTime = %v is negative", o.SessionTime)
	}
	if o.SessionTime == 0 {
		o.SessionTime = sessionTimeDefault
	}
	if o.Store == nil {
		o.Store = newMemoryStore(o.SessionTime)
	}
	if o.Hide == nil {
		o.Hide = DefaultHide
	}
	if o.ServerID == "" {
		o.ServerID = fmt.Sprintf("%s#%d", hostname(), os.Getpid())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
