package config

import (
	"cmp"
	"maps"
	"slices"
)

// Sources are what a configuration is made of.
type Sources struct {
	// File is the path of the YAML file; "" for none.
	File string
	// Environ are variables of the form NAME=value, as os.Environ has them.
	Environ []string
	// Flags of the command line; nil for none.
	Flags *Flags
}

// Loaded is a configuration without errors, with the place that each of its values comes from. Immutable.
type Loaded struct {
	Config Config
	// Warnings are for the log: variables that look like keys and are none.
	Warnings []string

	from map[string]place
	// inFile is what holds without environment and flags.
	inFile Config
	// fileSets are the keys that the file has.
	fileSets map[string]place
}

// Load reads all sources. The error is Problems: all of them.
func Load(s Sources) (*Loaded, error) {
	cfg := Default()
	r := newReader(&cfg)
	if s.File != "" {
		r.readFile(s.File)
	}
	out := &Loaded{inFile: cfg, fileSets: maps.Clone(r.from)}
	unknown := r.readEnviron(s.Environ)
	if s.Flags != nil {
		r.readFlags(s.Flags)
	}
	if _, set := r.from["limits.queue_bytes"]; !set {
		cfg.Limits.QueueBytes = max(cfg.Limits.QueueBytes, 2*cfg.Engine.MaxPayload)
	}
	if _, set := r.from["drain.spread"]; !set {
		cfg.Drain.Spread = min(cfg.Drain.Spread, cfg.Drain.Timeout)
	}
	out.Config, out.from = cfg, r.from
	problems := append(r.problems, out.check(r.bad)...)
	if len(problems) > 0 {
		sortProblems(problems)
		return nil, problems
	}
	for _, name := range unknown {
		out.Warnings = append(out.Warnings, unknownVariable(name))
	}
	return out, nil
}

// IsSet tells whether a key does not have its value from the defaults.
func (l *Loaded) IsSet(key string) bool { return l.from[key] != place{} }

// sortProblems orders those of the file by line, behind those of no place at all.
func sortProblems(problems Problems) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.origin, b.origin), cmp.Compare(a.Line, b.Line))
	})
}

// unknownVariable is a line for the log.
func unknownVariable(name string) string {
	known := slices.Collect(maps.Keys(theSchema().byEnv))
	slices.Sort(known)
	near := nearestOf(name, known)
	if editDistance(name, near) <= (len(name)-len(envPrefix))/4 {
		return name + " is not a key of the configuration and is ignored; did you mean " + near + "?"
	}
	return name + " is not a key of the configuration and is ignored"
}
