package bench

// Progress tells how far a run is. A plain value.
type Progress struct {
	// Phase is the name of the present phase, with the round if there are several.
	Phase string
	// Done and Total measure the phase: what Unit names or, if Timed, milliseconds.
	Done, Total int
	Timed       bool
	// Count is how much of what Unit names has come in the phase, whose rate is of interest; 0 if nothing is counted.
	Count int64
	Unit  string
	// Detail is a further remark, such as the number of users; it may be empty.
	Detail string
}

// watched describes a phase for whoever watches.
type watched struct {
	phase, unit string
	timed       bool
}

// progress returns what to tell about the phase.
func (w watched) progress(p progress, have, want int) Progress {
	count := int64(have)
	if w.timed {
		count = int64(p.Delivered)
	}
	return Progress{Phase: w.phase, Done: min(have, want), Total: want, Timed: w.timed, Count: count, Unit: w.unit}
}
