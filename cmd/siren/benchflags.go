package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed58c87869/siren/bench"
)

// benchFlags is what the command line of a scenario says.
type benchFlags struct {
	config    bench.Config
	transport string
	gapMicros int64
	room      bool
	outputs   outputs
	// positive are the flags of the command that must not be zero: a zero on
	// the command line is not the default.
	positive map[string]func() bool
	// given leave the fields of flags that were not given to bench's defaults.
	given []func()
}

// flagGroup adds related flags to a command.
type flagGroup func(f *benchFlags, flags *pflag.FlagSet, d scenarioDefaults)

// scenarioDefaults are the defaults that differ between scenarios.
type scenarioDefaults struct {
	subscribers, broadcasts, size, repeat, warmup int
	gapMicros                                     int64
	transport                                     bench.Transport
	duration                                      time.Duration
}

// mustBePositive registers a flag for the check of finish.
func mustBePositive[T int | time.Duration](f *benchFlags, name string, value *T) {
	f.positive[name] = func() bool { return *value > 0 }
}

// commonFlags are those of every scenario.
func commonFlags(f *benchFlags, flags *pflag.FlagSet, d scenarioDefaults) {
	c := &f.config
	flags.IntVar(&c.Subscribers, "subscribers", d.subscribers, "sessions")
	flags.IntVar(&c.ConnectRate, "connect-rate", 0, "new sessions per second, 0 for as fast as handshakes finish")
	flags.IntVar(&c.InFlight, "in-flight", bench.DefaultInFlight, "unfinished handshakes or upgrades per client loop")
	flags.IntVar(&c.Repeat, "repeat", d.repeat, "rounds, of which the median and the extremes are told")
	flags.IntVar(&c.Warmup, "warmup", d.warmup, "rounds before those that count")
	flags.IntVar(&c.Workers, "workers", 1, "client loops, one thread each")
	flags.IntVar(&c.Processes, "processes", 0, "client processes (default: as few as the limit of open files allows)")
	flags.BoolVar(&c.Floor, "floor", true, "also measure a bare epoll loop on this machine, and print the ratio")
	flags.DurationVar(&c.Timeout, "timeout", bench.DefaultTimeout, "bound of the whole run")
	flags.DurationVar(&c.Stall, "stall", bench.DefaultStall, "silence after which what is absent counts as missing")
	f.outputs.flags(flags)
	for name, value := range map[string]*int{
		"subscribers": &c.Subscribers, "in-flight": &c.InFlight, "repeat": &c.Repeat, "workers": &c.Workers,
	} {
		mustBePositive(f, name, value)
	}
	mustBePositive(f, "timeout", &c.Timeout)
	mustBePositive(f, "stall", &c.Stall)
}

// serverFlags name the server under test.
func serverFlags(f *benchFlags, flags *pflag.FlagSet, _ scenarioDefaults) {
	flags.StringVar(&f.config.URL, "url", "", "server, http://host:port[/path/]")
	flags.IntSliceVar(&f.config.PIDs, "pid", nil, "server process, may be repeated (default: who listens on the port)")
	_ = cobra.MarkFlagRequired(flags, "url") // it is defined above, which is all that can go wrong
}

// transportFlag chooses the transport of the sessions.
func transportFlag(f *benchFlags, flags *pflag.FlagSet, d scenarioDefaults) {
	flags.StringVar(&f.transport, "transport", string(d.transport), "websocket or polling")
}

// sizeFlag sets the size of what is sent.
func sizeFlag(f *benchFlags, flags *pflag.FlagSet, d scenarioDefaults) {
	flags.IntVar(&f.config.Size, "size", d.size, "bytes of one message's text, 32 or more")
	mustBePositive(f, "size", &f.config.Size)
}

// burstFlags describe a publication.
func burstFlags(f *benchFlags, flags *pflag.FlagSet, d scenarioDefaults) {
	flags.IntVar(&f.config.Broadcasts, "broadcasts", d.broadcasts, "messages of one burst")
	flags.Int64Var(&f.gapMicros, "gap-us", d.gapMicros, "microseconds between messages, 0 for back to back")
	mustBePositive(f, "broadcasts", &f.config.Broadcasts)
}

// durationFlag sets how long a round takes.
func durationFlag(f *benchFlags, flags *pflag.FlagSet, d scenarioDefaults) {
	flags.DurationVar(&f.config.Duration, "duration", d.duration, "length of a round")
	mustBePositive(f, "duration", &f.config.Duration)
}

// echoFlags describe a load of echoes.
func echoFlags(f *benchFlags, flags *pflag.FlagSet, _ scenarioDefaults) {
	flags.IntVar(&f.config.Concurrency, "concurrency", 0, "round trips in flight, closed loop (default: one for each session)")
	flags.IntVar(&f.config.Rate, "rate", 0, "round trips per second, open loop: each is timed from when it was due")
}

// finish moves the parsed flags into the configuration and checks it.
func (f *benchFlags) finish() (bench.Config, error) {
	for name, ok := range f.positive {
		if !ok() {
			return f.config, fmt.Errorf("--%s must be greater than zero", name)
		}
	}
	for _, leave := range f.given {
		leave()
	}
	c := f.config
	if f.gapMicros < 0 || f.gapMicros > math.MaxInt64/int64(time.Microsecond) {
		return c, errors.New("--gap-us is out of range")
	}
	if c.Concurrency < 0 {
		return c, errors.New("--concurrency must not be negative")
	}
	c.Gap = time.Duration(f.gapMicros) * time.Microsecond
	c.Transport = bench.Transport(f.transport)
	self, err := os.Executable()
	if err != nil {
		return c, fmt.Errorf("the path of this program: %w", err)
	}
	c.Command = []string{self, "bench", childCommandName}
	return c, c.Validate()
}
