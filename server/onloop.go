package server

import (
	"reflect"
	"runtime"
	"strings"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

var (
	serverPackage  = reflect.TypeFor[Server]().PkgPath()
	sessionPackage = reflect.TypeFor[session.Session]().PkgPath()
	pollerPackage  = reflect.TypeFor[poller.Loop]().PkgPath()

	// handlerRoots begin the names of the functions with which the goroutines of handlers start.
	handlerRoots = []string{serverPackage + ".", sessionPackage + "."}
	// loopFrames begin the names of functions that run on event loops alone: the methods of loops, those of tests too,
	// what takes input, and what calls inline handlers.
	loopFrames = []string{
		pollerPackage + ".(*Loop).", pollerPackage + "/pollertest.(*Loop).", sessionPackage + ".(*HTTPConn).Receive",
		sessionPackage + ".(*wsConn).Receive", serverPackage + ".(*Socket).receive",
	}
)

// onHandler reports whether the calling goroutine is one that this package or session has started. All of those run
// handlers.
func onHandler() bool {
	root := ""
	for f := range frames {
		if f != "runtime.goexit" {
			root = f
		}
	}
	return hasPrefix(root, handlerRoots)
}

// onLoop reports whether the calling goroutine is an event loop, where whoever waits for an answer waits for ever: it
// is the loop that would bring it. It looks at the stack, and only when code of the application's may run on loops at
// all.
func (srv *Server) onLoop() bool {
	if !srv.guestsOnLoops.Load() {
		return false
	}
	for f := range frames {
		if hasPrefix(f, loopFrames) {
			return true
		}
	}
	return false
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// frames yields the functions of the calling goroutine, the innermost first.
func frames(yield func(function string) bool) {
	pcs := make([]uintptr, 64)
	n := runtime.Callers(2, pcs)
	for n == len(pcs) {
		pcs = make([]uintptr, 2*n)
		n = runtime.Callers(2, pcs)
	}
	for frames := runtime.CallersFrames(pcs[:n]); ; {
		f, more := frames.Next()
		if f.Function != "" && !yield(f.Function) || !more {
			return
		}
	}
}
