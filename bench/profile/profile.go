package profile

import (
	"time"

	"github.com/seed58c87869/siren/bench/client"
)

// Profile describes a load. Immutable once read.
type Profile struct {
	// Target is the URL of the server: http://host:port or https://host:port, and a path if Socket.IO is not served at
	// /socket.io/.
	Target  string  `yaml:"target"`
	Connect Connect `yaml:"connect"`
	// Join is what each user sends after connecting, nil for nothing.
	Join *Join `yaml:"join"`
	// Publish is what is sent again and again, nil if the server sends by itself.
	Publish *Publish `yaml:"publish"`
	// Expect is the event that publications cause, nil if nothing is counted.
	Expect     *Expect     `yaml:"expect"`
	Stages     []Stage     `yaml:"stages"`
	Thresholds []Threshold `yaml:"thresholds"`
	// Drain is how long to wait, without an event, for what is still on its way at the end.
	Drain time.Duration `yaml:"drain"`

	name    string
	dir     string
	lines   lines
	options client.Options // without what differs between users
	data    table
	auth    *template
	headers map[string]*template
	query   map[string]*template
}

// Connect says how a user connects.
type Connect struct {
	Namespace string `yaml:"namespace"`
	// Path of Socket.IO at the target, if it is not part of the target.
	Path string `yaml:"path"`
	// Transports is [websocket], [polling], or [polling, websocket], which upgrades.
	Transports []string          `yaml:"transports"`
	Query      map[string]string `yaml:"query"`
	Headers    map[string]string `yaml:"headers"`
	// Auth is what the namespace gets, any mapping.
	Auth map[string]any `yaml:"auth"`
	// Data is a CSV file with a header line; each user has one of its lines.
	Data string `yaml:"data"`
	// Timeout bounds the opening of a session.
	Timeout time.Duration `yaml:"timeout"`
	// InFlight bounds the sessions that are being opened at a time.
	InFlight int `yaml:"in_flight"`
	TLS      TLS `yaml:"tls"`
}

// TLS has options for https and wss.
type TLS struct {
	// CAFile has the certificates of authorities, PEM. Empty: those of the system.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are the client's own certificate, PEM.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name that the server's certificate must have. Empty: the target's host.
	ServerName string `yaml:"server_name"`
	// Insecure takes any certificate.
	Insecure bool `yaml:"insecure"`
}

// Join is what a user sends once, before it counts as there.
type Join struct {
	Emit string `yaml:"emit"`
	Args []any  `yaml:"args"`
	// Ack waits for the acknowledgement.
	Ack bool `yaml:"ack"`
	// AckError is the place of an error in the acknowledgement, such as 0.error.
	AckError string `yaml:"ack_error"`
	// WaitFor is an event to wait for.
	WaitFor string `yaml:"wait_for"`
	// Settle is how long to wait if there is neither an acknowledgement nor an event.
	Settle time.Duration `yaml:"settle"`

	args *template
}

// Publish is what is sent again and again, by an event or by HTTP.
type Publish struct {
	Emit string `yaml:"emit"`
	Args []any  `yaml:"args"`
	Ack  bool   `yaml:"ack"`
	// AckError is the place of an error in the acknowledgement, such as 0.error.
	AckError string `yaml:"ack_error"`
	HTTP     *HTTP  `yaml:"http"`
	// Rate is the number of publications a second, of all users together.
	Rate Rate `yaml:"rate"`
	// Users is how many of the users publish; 0 for all.
	Users int `yaml:"users"`

	args *template
}

// HTTP is a publication by a request.
type HTTP struct {
	Method  string            `yaml:"method"`
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	// Body is sent as JSON; a text is sent as it is.
	Body any `yaml:"body"`
	// Status is the status of success; 0 for 200 to 299.
	Status int `yaml:"status"`
	// InFlight bounds the requests that wait for their answers.
	InFlight int `yaml:"in_flight"`

	body    *template
	headers map[string]*template
}

// Expect is the event that users get.
type Expect struct {
	Event string `yaml:"event"`
	// To is who gets a publication: everyone, others (all but the sender) or sender.
	To string `yaml:"to"`
	// Sequence is the place of the number in the arguments, such as 0.n, if {{mark}} is not sent.
	Sequence string `yaml:"sequence"`
	// Time is the place of the time of sending, for servers that send by themselves.
	Time string `yaml:"time"`
	// TimeUnit is s, ms, us or ns since 1970.
	TimeUnit string `yaml:"time_unit"`

	sequence, time path
}

// Stage is a part of the run.
type Stage struct {
	// Users is the number of users at the end of Ramp.
	Users *int `yaml:"users"`
	// Ramp is the time in which the number of users changes evenly, Hold the time in which it stays.
	Ramp time.Duration `yaml:"ramp"`
	Hold time.Duration `yaml:"hold"`
	// Rate replaces the rate of publish from here on.
	Rate *Rate `yaml:"rate"`
}

// Defaults of a profile.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultInFlight = 64
	DefaultSettle   = 200 * time.Millisecond
	DefaultDrain    = 5 * time.Second
)

// Limits of a profile: far above what one machine can do, low enough for sums of them to fit.
const (
	usersMax    = 1_000_000
	rateMax     = 1_000_000
	durationMax = 24 * time.Hour
	fileMax     = 1 << 20  // bytes of a profile
	dataMax     = 64 << 20 // bytes of a CSV file
	stagesMax   = 1000
)

// Name returns the name of the file that the profile was read from.
func (p *Profile) Name() string { return p.name }

// length returns how long all stages take.
func (p *Profile) length() (sum time.Duration) {
	for _, s := range p.Stages {
		sum += s.Ramp + s.Hold
	}
	return sum
}

// most returns the highest number of users at a time.
func (p *Profile) most() (n int) {
	for _, s := range p.Stages {
		if s.Users != nil {
			n = max(n, *s.Users)
		}
	}
	return n
}

// at returns the number of users and the rate that are due at a time after the beginning.
func (p *Profile) at(t time.Duration) (users int, rate float64) {
	if p.Publish != nil {
		rate = float64(p.Publish.Rate)
	}
	for _, s := range p.Stages {
		if s.Rate != nil {
			rate = float64(*s.Rate)
		}
		goal := users
		if s.Users != nil {
			goal = *s.Users
		}
		if t < s.Ramp {
			return users + int(float64(goal-users)*float64(t)/float64(s.Ramp)), rate
		}
		if users = goal; t < s.Ramp+s.Hold {
			return users, rate
		}
		t -= s.Ramp + s.Hold
	}
	return users, rate
}
