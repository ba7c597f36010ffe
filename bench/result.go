package bench

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// Result has the measurements of a run; a plain value. The JSON names contain the units of times.
type Result struct {
	// OK is true if the run was complete, every connection stayed open, and nothing was missing, duplicated, reordered or
	// malformed.
	OK bool `json:"ok"`
	// Partial is why the run ended early, "" if it did not.
	Partial  string    `json:"partial,omitempty"`
	Started  time.Time `json:"started"`
	Scenario Scenario  `json:"scenario"`
	Machine  Machine   `json:"machine"`
	// Memory is nil when the server's processes are not known.
	Memory   *Memory   `json:"server_memory,omitempty"`
	Connects []Connect `json:"connects"`
	Bursts   []Burst   `json:"bursts"`
	// Summary is nil without a burst.
	Summary *Summary `json:"summary,omitempty"`
	// Metrics and Curves are the figures of every scenario in one form.
	Metrics []Metric `json:"metrics"`
	Curves  []Curve  `json:"curves"`
	// Thresholds are the conditions of a profile, and what came of them.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// Problems are faults that the counts do not show.
	Problems []string `json:"problems,omitempty"`
	// Reasons says why OK is false.
	Reasons []string `json:"reasons,omitempty"`
	// Notes are remarks that one must know to read the figures.
	Notes []string `json:"notes,omitempty"`

	rounds int // that were completed, without warm-up
}

// Scenario repeats the configuration of the run.
type Scenario struct {
	Name        Kind      `json:"name"`
	URL         string    `json:"url"`
	Transport   Transport `json:"transport"`
	Upgrade     int       `json:"upgrade,omitempty"`
	Target      string    `json:"target"` // "room" or "namespace"
	Subscribers int       `json:"subscribers"`
	Broadcasts  int       `json:"broadcasts"`
	Size        int       `json:"size_bytes"`
	GapMicros   int64     `json:"gap_us"`
	ConnectRate int       `json:"connect_rate,omitempty"`
	Repeat      int       `json:"repeat"`
	Workers     int       `json:"workers"`
	Processes   int       `json:"processes,omitempty"`
	Warmup      int       `json:"warmup,omitempty"`
	// Seconds, Concurrency and Rate belong to KindEcho, the first to KindIdle
	// too, SlowPercent to KindSlow and Members to KindRooms.
	Seconds     float64 `json:"seconds,omitempty"`
	Concurrency int     `json:"concurrency,omitempty"`
	Rate        int     `json:"rate_per_second,omitempty"`
	SlowPercent float64 `json:"slow_percent,omitempty"`
	Members     int     `json:"members_from,omitempty"`
	// Profile is the name of the profile's file, and Namespace the one that its users join.
	Profile   string `json:"profile,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// Threshold is a condition that decides whether a run is OK; a plain value.
type Threshold struct {
	// Condition as the profile has it, such as "p99 < 50ms".
	Condition string `json:"condition"`
	// Value is nil if the run has no such figure, which fails.
	Value *float64 `json:"value"`
	// Unit of Value: "us", or "" for a number.
	Unit string `json:"unit,omitempty"`
	OK   bool   `json:"ok"`
}

// String returns the condition with what came of it.
func (t Threshold) String() string {
	switch {
	case t.Value == nil:
		return t.Condition + ": there is no such figure, because nothing was measured"
	case t.Unit == "us":
		return t.Condition + ": it is " + time.Duration(*t.Value*1e3).Round(time.Microsecond).String()
	}
	return t.Condition + ": it is " + number(*t.Value)
}

// Machine describes the machine of the load generator.
type Machine struct {
	CPUs       int    `json:"cpus"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	Arch       string `json:"arch"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	// Shared is true when the server runs on the same machine.
	Shared bool `json:"shared_with_server"`
}

// Memory is the server's resident memory around the connecting of the
// subscribers, the first time.
type Memory struct {
	PIDs   []int `json:"pids"`
	Before int64 `json:"rss_before_bytes"`
	After  int64 `json:"rss_after_bytes"`
	// PerConnection is 0 if it is not known.
	PerConnection float64 `json:"rss_per_connection_bytes,omitempty"`
}

// Connect is one opening of all subscribers.
type Connect struct {
	Connected int     `json:"connected"`
	Failed    int     `json:"failed"`
	Seconds   float64 `json:"seconds"`
	// Retried is the number of attempts that failed and were repeated, with Config.Retry.
	Retried int `json:"retried,omitempty"`
	// Lost is the number of sessions that ended later, in the bursts.
	Lost int `json:"lost"`
	// Stray is the number of messages before, between and after the bursts: another client published, or an earlier burst
	// was not complete.
	Stray uint64 `json:"stray"`
	// Failures counts the reasons of what failed or was lost.
	Failures map[string]int `json:"failures,omitempty"`
}

// Burst is one publication and its deliveries.
type Burst struct {
	Receivers   int    `json:"receivers"`
	Expected    uint64 `json:"expected"`
	Delivered   uint64 `json:"delivered"`
	Missing     uint64 `json:"missing"`
	Outstanding uint64 `json:"outstanding,omitempty"` // when the run ended early
	Duplicated  uint64 `json:"duplicated"`
	Reordered   uint64 `json:"reordered"`
	Malformed   uint64 `json:"malformed"`
	// MalformedExample is the beginning of the first malformed packet.
	MalformedExample string `json:"malformed_example,omitempty"`
	// Seconds from the publication to the last delivery.
	Seconds float64 `json:"seconds"`
	// Rate is deliveries per second; nil when the client was the bottleneck.
	Rate *float64 `json:"messages_per_second,omitempty"`
	// ClientBoundRate is the rate if the client was the bottleneck: what this client could receive, not what the server
	// can do.
	ClientBoundRate *float64 `json:"client_bound_messages_per_second,omitempty"`
	// Latency is nil when the clocks of both sides differ.
	Latency *Latency `json:"latency,omitempty"`
	// Server is nil when the server's processes are not known.
	Server *ServerCPU `json:"server_cpu,omitempty"`
	Client ClientLoad `json:"client"`
	// Others is the part of the machine's processor time, 0 to 1, that neither server nor client used; 0 if it is unknown.
	Others float64 `json:"others_cpu_share"`
	// Upgrades is nil unless the transport is TransportUpgrade.
	Upgrades *Upgrades `json:"upgrades,omitempty"`
	// Interrupted means that the run ended during the burst. Its deliveries are counted, but it has no figures.
	Interrupted bool `json:"interrupted,omitempty"`

	latencies       *hdrhistogram.Histogram
	latencyMax      int64
	overPolling     uint64
	upgradesDone    int
	upgradesFailed  int
	upgradesInBurst int
}

// Latency is from just before the emission in the server to the return of the
// read in the client.
type Latency struct {
	P50  float64 `json:"p50_us"`
	P90  float64 `json:"p90_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p99_9_us"`
	Max  float64 `json:"max_us"`
}

// ServerCPU is the processor time of the server in a burst.
type ServerCPU struct {
	User   float64 `json:"user_seconds"`
	System float64 `json:"system_seconds"`
	// PerMessage and its two parts are divided by the deliveries.
	PerMessage       float64 `json:"us_per_message"`
	UserPerMessage   float64 `json:"user_us_per_message"`
	SystemPerMessage float64 `json:"system_us_per_message"`
}

// ClientLoad is the cost of the burst for the client.
type ClientLoad struct {
	User   float64 `json:"user_seconds"`
	System float64 `json:"system_seconds"`
	// Busy is the part of the burst in which the busiest loop was not waiting
	// for something to receive, 0 to 1.
	Busy float64 `json:"loop_busy"`
	// LagP99 and LagMax are the lengths of the loop's rounds: the longest time that a message may have waited to be read.
	LagP99 float64 `json:"loop_lag_p99_us"`
	LagMax float64 `json:"loop_lag_max_us"`
	// Bottleneck means that Busy is so high that the client limited the rate.
	Bottleneck bool `json:"bottleneck"`
}

// Upgrades counts the sessions that moved to WebSocket.
type Upgrades struct {
	Planned int `json:"planned"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// InBurst is the number of upgrades that were done before their session had every message.
	InBurst int `json:"in_burst"`
}

// newResult returns the result of a run that begins.
func newResult(cfg Config, t target) *Result {
	scope := "room"
	if cfg.All {
		scope = "namespace"
	}
	r := &Result{
		Started: time.Now(),
		Scenario: Scenario{
			Name: cfg.Kind, URL: cfg.URL, Transport: cfg.Transport, Upgrade: cfg.Upgrade, Target: scope,
			Subscribers: cfg.Subscribers, Broadcasts: cfg.Broadcasts, Size: cfg.Size,
			GapMicros: cfg.Gap.Microseconds(), ConnectRate: cfg.ConnectRate,
			Repeat: cfg.Repeat, Workers: cfg.Workers, Processes: cfg.Processes, Warmup: cfg.Warmup,
		},
		Machine: Machine{
			CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Arch: runtime.GOARCH,
			Kernel: kernel(), Go: runtime.Version(), Shared: t.local(),
		},
		Connects: []Connect{},
		Bursts:   []Burst{},
		Metrics:  []Metric{},
		Curves:   []Curve{},
	}
	s := &r.Scenario
	switch cfg.Kind {
	case KindEcho, KindPolling, KindFloor:
		s.Seconds, s.Concurrency, s.Rate = cfg.Duration.Seconds(), cfg.Concurrency, cfg.Rate
	case KindGame:
		s.Seconds, s.Rate, s.Members = cfg.Duration.Seconds(), cfg.Rate, cfg.Members
	case KindIdle:
		s.Seconds = cfg.Duration.Seconds()
	case KindSlow:
		s.SlowPercent = cfg.SlowPercent
	case KindRooms:
		s.Members = cfg.Members
	}
	return r
}

// kernel returns the release of the running kernel.
func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

// note adds a remark, once.
func (r *Result) note(text string) {
	for _, n := range r.Notes {
		if n == text {
			return
		}
	}
	r.Notes = append(r.Notes, text)
}

// problem adds a problem, once.
func (r *Result) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.Problems, text) {
		r.Problems = append(r.Problems, text)
	}
}

// faults adds the faults of a window as problems.
func (r *Result) faults(what string, b *Burst) {
	if n := b.Missing + b.Duplicated + b.Reordered + b.Malformed; n > 0 {
		r.problem("%s: %d missing, %d duplicated, %d reordered, %d malformed of %d expected",
			what, b.Missing, b.Duplicated, b.Reordered, b.Malformed, b.Expected)
	}
	if b.MalformedExample != "" {
		r.problem("%s: malformed packet %q", what, b.MalformedExample)
	}
}

// finish computes the derived figures.
func (r *Result) finish() {
	r.Reasons = r.reasons()
	r.OK = len(r.Reasons) == 0
	r.Summary = summarize(r.Bursts)
}

// reasons returns why the result is not OK; none if it is.
func (r *Result) reasons() (list []string) {
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	rounds := r.rounds
	if r.Scenario.Name == KindFanout || r.Scenario.Name == "" {
		rounds = len(r.Bursts)
	}
	if r.Partial != "" {
		add("the run ended early: %s", r.Partial)
	}
	if rounds < r.Scenario.Repeat {
		add("%d of %d rounds were made", rounds, r.Scenario.Repeat)
	}
	var failed, lost int
	var stray uint64
	for _, c := range r.Connects {
		failed, lost, stray = failed+c.Failed, lost+c.Lost, stray+c.Stray
	}
	if len(r.Thresholds) > 0 { // they decide what is allowed
		failed, lost = 0, 0
	}
	if failed > 0 {
		add("%d sessions failed to connect", failed)
	}
	if lost > 0 {
		add("%d sessions were lost", lost)
	}
	if stray > 0 {
		add("%d messages came outside of the bursts", stray)
	}
	unclean := 0
	for _, b := range r.Bursts {
		if !b.clean() {
			unclean++
		}
	}
	if unclean > 0 {
		add("%d of %d bursts were not delivered without a fault", unclean, len(r.Bursts))
	}
	for _, t := range r.Thresholds {
		if !t.OK {
			add("threshold %s", t)
		}
	}
	if n := len(r.Problems); n == 1 {
		list = append(list, r.Problems[0])
	} else if n > 1 {
		add("%s (and %d other problems)", r.Problems[0], n-1)
	}
	return list
}

// clean reports whether the burst was delivered without any fault.
func (b Burst) clean() bool {
	faults := b.Missing + b.Outstanding + b.Duplicated + b.Reordered + b.Malformed
	upgraded := b.Upgrades == nil || b.Upgrades.Done == b.Upgrades.Planned
	return faults == 0 && b.Delivered == b.Expected && b.Expected > 0 && upgraded
}
