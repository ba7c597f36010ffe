package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed58c87869/siren/bench"
)

// childCommandName is the hidden command that a run starts its own processes
// with.
const childCommandName = "child"

// scenario is one command of siren bench.
type scenario struct {
	kind     bench.Kind
	short    string
	long     string
	example  string
	defaults scenarioDefaults
	groups   []flagGroup
}

// exampleURL is the server of the examples.
const exampleURL = " --url http://127.0.0.1:3000"

// scenarios returns all commands but the fan-out, in the order of the help text.
func scenarios() []scenario { return append(sessionScenarios(), messageScenarios()...) }

// sessionScenarios returns those about sessions that come and go.
func sessionScenarios() []scenario {
	return []scenario{
		{
			kind: bench.KindConnect, short: "Open sessions and end them: rate, latency and cost of a handshake",
			long: `Opens sessions with a bounded number of unfinished handshakes, counts those
that were accepted in the main namespace, and ends all of them. Over WebSocket
a handshake is GET, 101, the open packet and CONNECT; over polling GET, POST,
GET.`,
			example:  "  siren bench connect" + exampleURL + " --subscribers 5000\n  siren bench connect" + exampleURL + " --transport polling",
			defaults: scenarioDefaults{subscribers: 2000, repeat: 5, warmup: 1, transport: bench.TransportWebSocket},
			groups:   []flagGroup{serverFlags, transportFlag},
		},
		{
			kind: bench.KindIdle, short: "Hold sessions that do nothing: memory and cost of being there",
			long: `Opens sessions and holds them while their heartbeats go on. Only a freshly
started server gives a useful figure of its memory.`,
			example:  "  siren bench idle" + exampleURL + " --subscribers 10000 --duration 60s",
			defaults: scenarioDefaults{subscribers: 5000, repeat: 1, transport: bench.TransportWebSocket, duration: 30 * time.Second},
			groups:   []flagGroup{serverFlags, transportFlag, durationFlag},
		},
		{
			kind: bench.KindUpgrade, short: "Move sessions from polling to WebSocket: rate and cost, with and without messages",
			long: `Upgrades sessions that are at rest, and sessions that get messages meanwhile.
The messages are checked as in a fan-out: none may be lost on the way.`,
			example:  "  siren bench upgrade" + exampleURL + " --subscribers 1000",
			defaults: scenarioDefaults{subscribers: 500, broadcasts: 100, size: bench.DefaultSize, repeat: 3, warmup: 1, gapMicros: 20000},
			groups:   []flagGroup{serverFlags, sizeFlag, burstFlags},
		},
		{
			kind: bench.KindStorm, short: "Cut all sessions at once and have them come back at once",
			long: `Resets all connections, connects all of them again without waiting, and
counts until everybody is back and has had an echo answered.`,
			example:  "  siren bench storm" + exampleURL + " --subscribers 5000",
			defaults: scenarioDefaults{subscribers: 2000, size: bench.DefaultSize, repeat: 3},
			groups:   []flagGroup{serverFlags, sizeFlag},
		},
	}
}

// messageScenarios returns those about what goes over the sessions, and the floor.
func messageScenarios() []scenario {
	return []scenario{
		{
			kind: bench.KindEcho, short: "Events with an acknowledgement: latency and cost of a round trip",
			long: `Sends events that the server acknowledges with what they carry, and checks
every answer. A closed loop keeps a number of them in flight. An open loop
sends them at a rate whatever the server does, and times each from the moment
at which it was to be sent, so that no delay is left out.`,
			example:  "  siren bench echo" + exampleURL + " --concurrency 64\n  siren bench echo" + exampleURL + " --rate 5000",
			defaults: scenarioDefaults{subscribers: 100, size: bench.DefaultSize, repeat: 5, warmup: 1, transport: bench.TransportWebSocket, duration: bench.DefaultDuration},
			groups:   []flagGroup{serverFlags, transportFlag, sizeFlag, durationFlag, echoFlags},
		},
		{
			kind: bench.KindPolling, short: "Sessions without a WebSocket: cost of a handshake, a broadcast and a POST",
			long: `Measures long-polling alone: handshakes, a paced broadcast in which each
message has a response of its own, and events with an acknowledgement.`,
			example:  "  siren bench polling" + exampleURL,
			defaults: scenarioDefaults{subscribers: 500, broadcasts: 100, size: bench.DefaultSize, repeat: 3, warmup: 1, gapMicros: 20000, duration: bench.DefaultDuration},
			groups:   []flagGroup{serverFlags, sizeFlag, burstFlags, durationFlag, echoFlags},
		},
		{
			kind: bench.KindSlow, short: "Some subscribers stop reading: what it does to the others and to the memory",
			long: `Makes the same paced fan-out twice: while everybody reads, and while some
sessions do not. Compares the latency of the others, and tells what the server
did with the slow ones.`,
			example:  "  siren bench slow" + exampleURL + " --slow 1",
			defaults: scenarioDefaults{subscribers: 200, broadcasts: 2000, size: 4096, repeat: 3, gapMicros: 5000},
			groups:   []flagGroup{serverFlags, sizeFlag, burstFlags, slowFlag},
		},
		{
			kind: bench.KindRooms, short: "Publish to rooms of growing size: is the cost per message flat?",
			long: `Publishes to a room that grows from --members to --subscribers by doubling.
Only the number of members is varied: in how many rooms a member is would need
an event that the load profile does not have.`,
			example:  "  siren bench rooms" + exampleURL + " --members 1000 --subscribers 16000",
			defaults: scenarioDefaults{subscribers: 8000, broadcasts: 50, size: bench.DefaultSize, repeat: 3, warmup: 1, gapMicros: 100000, transport: bench.TransportWebSocket},
			groups:   []flagGroup{serverFlags, transportFlag, sizeFlag, burstFlags, membersFlag},
		},
		{
			kind: bench.KindGame, short: "Many small games at once: cost of a message that goes to the few others in a room",
			long: `Plays many games at once. Each player sends --rate messages a second, which the
server passes on to the others in the player's room, and a ping with an
acknowledgement each second. Every delivery is checked, answers included.`,
			example:  "  siren bench game" + exampleURL + " --subscribers 2000 --members 6",
			defaults: scenarioDefaults{subscribers: 2000, size: bench.DefaultMoveSize, repeat: 5, warmup: 1, duration: bench.DefaultDuration},
			groups:   []flagGroup{serverFlags, sizeFlag, durationFlag, gameFlags},
		},
		{
			kind: bench.KindFloor, short: "What the kernel costs on this machine: a bare epoll loop with no protocol",
			long: `Measures a bare epoll loop of our own, in a process that is started for it:
sends of the same size as a server's, answers of the same size as a server's,
and nothing else. No server is needed.`,
			example:  "  siren bench floor --subscribers 1000",
			defaults: scenarioDefaults{subscribers: 500, broadcasts: 200, size: bench.DefaultSize, repeat: 5, warmup: 1, duration: 2 * time.Second},
			groups:   []flagGroup{sizeFlag, burstFlags, durationFlag, echoFlags},
		},
	}
}

// slowFlag says how many do not read.
func slowFlag(f *benchFlags, flags *pflag.FlagSet, _ scenarioDefaults) {
	flags.Float64Var(&f.config.SlowPercent, "slow", bench.DefaultSlowPercent, "percent of the subscribers that stop reading, at least one")
}

// gameFlags describe a game.
func gameFlags(f *benchFlags, flags *pflag.FlagSet, _ scenarioDefaults) {
	f.members(flags, bench.DefaultPlayers, "players in a room")
	flags.IntVar(&f.config.Rate, "rate", bench.DefaultMoves, "messages that each player sends per second")
	mustBePositive(f, "rate", &f.config.Rate)
}

// membersFlag says where the rooms begin.
func membersFlag(f *benchFlags, flags *pflag.FlagSet, _ scenarioDefaults) {
	f.members(flags, bench.DefaultMembers, "members of the smallest room")
}

// members adds --members. Unless it is given, bench adapts the default to the number of sessions.
func (f *benchFlags) members(flags *pflag.FlagSet, value int, usage string) {
	flags.IntVar(&f.config.Members, "members", value, usage+", at most all sessions")
	mustBePositive(f, "members", &f.config.Members)
	f.given = append(f.given, func() {
		if !flags.Changed("members") {
			f.config.Members = 0
		}
	})
}

// command builds the command of a scenario, with what its flags are read into.
func (s scenario) command() (*cobra.Command, *benchFlags) {
	f := &benchFlags{config: bench.Config{Kind: s.kind}, positive: make(map[string]func() bool)}
	cmd := &cobra.Command{
		Use:     string(s.kind),
		Short:   s.short,
		Long:    s.long,
		Example: s.example,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	commonFlags(f, cmd.Flags(), s.defaults)
	for _, add := range s.groups {
		add(f, cmd.Flags(), s.defaults)
	}
	if cmd.Flags().Lookup("transport") != nil {
		words := []string{string(bench.TransportWebSocket), string(bench.TransportPolling)}
		if s.kind == bench.KindFanout {
			words = append(words, string(bench.TransportUpgrade))
		}
		completeWords(cmd, map[string][]string{"transport": words})
	}
	return cmd, f
}

// newChildCommand is what a run starts its own processes with.
func newChildCommand() *cobra.Command {
	return &cobra.Command{
		Use:    childCommandName,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return bench.Child(os.Stdin, os.Stdout) },
	}
}
