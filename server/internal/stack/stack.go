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

	// handlerRoots begin the names of the functions with which the goroutines of handlers start.
	handlerRoots = []string{serverPackage + ".", serverPackage + "/internal/", sessionPackage + "."}
	// loopFrames begin the names of functions that run on event loops alone: the methods of loops, those of tests too,
	// what takes input, and what calls inline handlers.
	loopFrames = []string{
		pollerPackage + ".(*Loop).", pollerPackage + "/pollertest.(*Loop).", sessionPackage + ".(*HTTPConn).Receive",
		sessionPackage + ".(*wsConn).Receive", serverPackage + ".(*Socket).receive",
	}
)

// OnHandler reports whether the calling goroutine is one that package server, a part of it, or package session has
// started. All of those run handlers.
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
