package roster

import "slices"

// List has the sockets of one client. There is nearly always one, which takes no further memory. Loop-owned.
type List[S any] struct {
	first *S
	more  *[]*S // nil while there is one at most
}

// Len returns the number of sockets.
func (l *List[S]) Len() int {
	switch {
	case l.first == nil:
		return 0
	case l.more == nil:
		return 1
	}
	return 1 + len(*l.more)
}

// Add adds a socket that is not in the list.
func (l *List[S]) Add(s *S) {
	switch {
	case l.first == nil:
		l.first = s
	case l.more == nil:
		l.more = &[]*S{s}
	default:
		*l.more = append(*l.more, s)
	}
}

// First returns the first socket of the list, or nil.
func (l *List[S]) First() *S { return l.first }

// All yields the sockets. The list must not change meanwhile.
func (l *List[S]) All(yield func(s *S) bool) {
	if l.first == nil || !yield(l.first) || l.more == nil {
		return
	}
	for _, s := range *l.more {
		if !yield(s) {
			return
		}
	}
}

// Last returns the last socket of the list, or nil.
func (l *List[S]) Last() *S {
	if l.more == nil {
		return l.first
	}
	return (*l.more)[len(*l.more)-1]
}

// Remove removes a socket, if it is in the list.
func (l *List[S]) Remove(s *S) {
	last := l.Last()
	if s != last {
		// The last socket takes its place.
		if l.first == s {
			l.first = last
		} else if i := l.index(s); i >= 0 {
			(*l.more)[i] = last
		} else {
			return
		}
	}
	l.dropLast()
}

// index returns the index of a socket among those after the first, or -1.
func (l *List[S]) index(s *S) int {
	if l.more == nil {
		return -1
	}
	return slices.Index(*l.more, s)
}

func (l *List[S]) dropLast() {
	if l.more == nil {
		l.first = nil
		return
	}
	rest := *l.more
	rest[len(rest)-1] = nil
	if *l.more = rest[:len(rest)-1]; len(rest) == 1 {
		l.more = nil
	}
}
