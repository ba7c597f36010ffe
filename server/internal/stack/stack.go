package stack

import (
	"reflect"
	"runtime"
	"strings"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// anchor is a type of this package, whose path begins with that of package server.
type anchor struct{}

var (
	serverPackage  = strings.TrimSuffix(reflect.TypeFor[anchor]().PkgPath(), "/internal/stack")
	sessionPackage = reflect.TypeFor[session.Session]().PkgPath()
	pollerPackage  = reflect.TypeFor[poller.Loop]().PkgPath()

	// handlerRoots are prefixes of the names of the functions that goroutines of handlers start with.
	handlerRoots = []string{serverPackage + ".", serverPackage + "/internal/", sessionPackage + "."}
	// loopFrames are prefixes of the names of functions that run only on event loops: the methods of loops, also those
	// of tests, and the functions that receive input and call inline handlers.
	loopFrames = []string{
		pollerPackage + ".(*Loop).", pollerPackage + "/pollertest.(*Loop).", sessionPackage + ".(*HTTPConn).Receive",
		sessionPackage + ".(*wsConn).Receive", serverPackage + ".(*Socket).receive",
	}
)

// OnHandler reports whether package server, one of its inner packages, or package session has started the calling
// goroutine. All goroutines that they start run handlers.
func OnHandler() bool {
	root := ""
	for f := range frames {
		if f != "runtime.goexit" {
			root = f
		}
	}
	return hasPrefix(root, handlerRoots)
}

// OnLoop reports whether the calling goroutine is an event loop, by its stack.
func OnLoop() bool {
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
