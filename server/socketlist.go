package server

import "slices"

// socketList are the sockets of one client: nearly always one, which takes no memory of its own. Loop-owned.
type socketList struct {
	first *Socket
	more  *[]*Socket // nil while there is one at most
}

func (l *socketList) len() int {
	switch {
	case l.first == nil:
		return 0
	case l.more == nil:
		return 1
	}
	return 1 + len(*l.more)
}

func (l *socketList) add(s *Socket) {
	switch {
	case l.first == nil:
		l.first = s
	case l.more == nil:
		l.more = &[]*Socket{s}
	default:
		*l.more = append(*l.more, s)
	}
}

// all yields the sockets. The list must not change meanwhile.
func (l *socketList) all(yield func(s *Socket) bool) {
	if l.first == nil || !yield(l.first) || l.more == nil {
		return
	}
	for _, s := range *l.more {
		if !yield(s) {
			return
		}
	}
}

// last is the one that was added last, or has moved there; nil when there is none.
func (l *socketList) last() *Socket {
	if l.more == nil {
		return l.first
	}
	return (*l.more)[len(*l.more)-1]
}

// remove takes one out, if it is there.
func (l *socketList) remove(s *Socket) {
	last := l.last()
	if s != last {
		// The last one takes its place.
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

// index is the place of a socket among those behind the first; -1 when it is not there.
func (l *socketList) index(s *Socket) int {
	if l.more == nil {
		return -1
	}
	return slices.Index(*l.more, s)
}

func (l *socketList) dropLast() {
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
