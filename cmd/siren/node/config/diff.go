package config

import "slices"

// Change is what a reload has done. Immutable.
type Change struct {
	// Changed are the keys that have another value now.
	Changed []string `json:"changed"`
	// Restart are the keys whose new value holds after a restart.
	Restart []string `json:"restart"`
	// Overridden are the keys that the file sets in vain, because a flag or the environment sets them to another value.
	Overridden []string `json:"overridden"`
}

// Reload returns the configuration that holds when a running node with the configuration l reads next: that of next
// where a running node can change, of l elsewhere. The error is Problems, when both do not fit together.
func (l *Loaded) Reload(next *Loaded) (*Loaded, Change, error) {
	out := *next
	change := Change{Changed: []string{}, Restart: []string{}, Overridden: []string{}}
	for _, k := range Keys() {
		was, will := k.in(&l.Config), k.in(&next.Config)
		switch {
		case same(was.Interface(), will.Interface()):
		case k.Live && !(k.stays && was.IsZero() != will.IsZero()):
			change.Changed = append(change.Changed, k.Name)
		default:
			change.Restart = append(change.Restart, k.Name)
			k.in(&out.Config).Set(was)
		}
		_, set := next.fileSets[k.Name]
		if set && next.from[k.Name].origin != "" && !same(k.in(&next.inFile).Interface(), will.Interface()) {
			change.Overridden = append(change.Overridden, k.Name)
		}
	}
	if problems := out.check(nil); len(problems) > 0 {
		for i := range problems {
			if slices.Contains(change.Restart, problems[i].Key) {
				problems[i].Message += " (the new value would hold after a restart only)"
			}
		}
		return nil, Change{}, problems
	}
	return &out, change, nil
}
