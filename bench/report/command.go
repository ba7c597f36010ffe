package report

import (
	"slices"
	"strings"

	"github.com/seed58c87869/siren/bench"
)

// commandFlag is a flag of `siren bench` and the field of the scenario that
// has its value.
type commandFlag struct{ field, flag, unit string }

// Flags by what they describe.
var (
	transportFlags = []commandFlag{{"transport", "--transport", ""}}
	sizeFlags      = []commandFlag{{"size_bytes", "--size", ""}}
	burstFlags     = []commandFlag{{"broadcasts", "--broadcasts", ""}, {"gap_us", "--gap-us", ""}}
	durationFlags  = []commandFlag{{"seconds", "--duration", "s"}}
	echoFlags      = []commandFlag{{"concurrency", "--concurrency", ""}, {"rate_per_second", "--rate", ""}}
	commonFlags    = []commandFlag{
		{"subscribers", "--subscribers", ""}, {"connect_rate", "--connect-rate", ""}, {"repeat", "--repeat", ""},
		{"warmup", "--warmup", ""}, {"workers", "--workers", ""}, {"processes", "--processes", ""},
	}
)

// scenarioFlags are the flags of each scenario beside commonFlags.
var scenarioFlags = map[string][]commandFlag{
	scenarioFanout: slices.Concat(transportFlags, []commandFlag{{"upgrade", "--upgrade", ""}}, sizeFlags, burstFlags),
	"connect":      transportFlags,
	"idle":         slices.Concat(transportFlags, durationFlags),
	"echo":         slices.Concat(transportFlags, sizeFlags, durationFlags, echoFlags),
	"polling":      slices.Concat(sizeFlags, burstFlags, durationFlags, echoFlags),
	"upgrade":      slices.Concat(sizeFlags, burstFlags),
	"storm":        sizeFlags,
	"slow":         slices.Concat(sizeFlags, burstFlags, []commandFlag{{"slow_percent", "--slow", ""}}),
	"rooms":        slices.Concat(transportFlags, sizeFlags, burstFlags, []commandFlag{{"members_from", "--members", ""}}),
	"game": slices.Concat(sizeFlags, durationFlags,
		[]commandFlag{{"members_from", "--members", ""}, {"rate_per_second", "--rate", ""}}),
	scenarioFloor: slices.Concat(sizeFlags, burstFlags, durationFlags, echoFlags),
}

// scenarioFloor is the scenario without a server.
const scenarioFloor = "floor"

// command returns the command line that makes such a run again, "" for a scenario
// that is not known here.
func (r run) command() string {
	if r.scenario == string(bench.KindProfile) {
		return "siren bench run " + quote(valueOf(r.fields, "profile")) + " --url " + quote(r.url())
	}
	flags, ok := scenarioFlags[r.scenario]
	if !ok {
		return ""
	}
	args := []string{"siren bench", r.scenario}
	if r.scenario != scenarioFloor {
		args = append(args, "--url", quote(r.url()))
	}
	if r.scenario == scenarioFanout && valueOf(r.fields, "target") == "namespace" {
		args = append(args, "--all")
	}
	for _, f := range slices.Concat(flags, commonFlags) {
		value := valueOf(r.fields, f.field)
		if value == "" && f.field == "warmup" {
			value = "0" // which is not the default everywhere
		}
		paced := f.field == "concurrency" && valueOf(r.fields, "rate_per_second") != ""
		if value != "" && !paced {
			args = append(args, f.flag, quote(value+f.unit))
		}
	}
	return strings.Join(args, " ")
}

// quote makes one word of a shell's command line.
func quote(word string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,=@%+", r))
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
