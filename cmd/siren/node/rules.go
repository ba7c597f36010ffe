package node

import (
	"fmt"
	"regexp"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
)

// rule says what clients may do in a namespace. Immutable.
type rule struct {
	config.Namespace
	// rooms are those that clients may join or publish to.
	rooms pattern.List
	// gate is what the rule says of tokens and webhooks.
	gate *gate.Rule
	// roomsMax is the number of rooms that one socket may be in.
	roomsMax int
}

// mayJoin tells whether clients may join the room.
func (r *rule) mayJoin(room string) bool { return r.Join && r.rooms.Match(room) }

// mayPublish tells whether clients may publish to the room.
func (r *rule) mayPublish(room string) bool { return r.Publish && r.rooms.Match(room) }

// mayPublishToAll tells whether clients may publish to everybody: that reaches all rooms.
func (r *rule) mayPublishToAll() bool { return r.Publish && r.rooms.All() }

// rules are those of all namespaces. Immutable.
type rules struct {
	byName   map[string]*rule
	patterns []patternRule
	roomsMax int
}

type patternRule struct {
	names *regexp.Regexp
	rule  *rule
}

// newRules compiles the rules of a configuration.
func newRules(cfg *config.Config) (*rules, error) {
	out := &rules{byName: map[string]*rule{}, roomsMax: cfg.Limits.RoomsPerSocket}
	for i, ns := range cfg.Namespaces {
		r := &rule{Namespace: ns, rooms: ns.Rooms, gate: gateRule(cfg, &ns), roomsMax: out.roomsMax}
		if ns.Pattern == "" {
			out.byName[ns.Name] = r
			continue
		}
		names, err := regexp.Compile(ns.Pattern)
		if err != nil {
			return nil, fmt.Errorf("namespaces[%d].pattern: %w", i, err) // loading has checked them
		}
		out.patterns = append(out.patterns, patternRule{names, r})
	}
	return out, nil
}

// find returns the rule of a namespace; nil when there is none, and no such namespace. A rule with the name goes before
// patterns, and an earlier pattern before a later one.
func (rs *rules) find(name string) *rule {
	if r := rs.byName[name]; r != nil {
		return r
	}
	return rs.findPattern(name)
}

func (rs *rules) findPattern(name string) *rule {
	for _, p := range rs.patterns {
		if p.names.MatchString(name) {
			return p.rule
		}
	}
	return nil
}
