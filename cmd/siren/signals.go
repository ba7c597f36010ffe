package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// sameRequest is how long after the first signal others are taken for the same request to end. Two often come at once:
// timeout(1) signals its child and then its own group, a terminal that closes signals the group as its shell does, and
// wrappers such as make pass on what the terminal has sent to all. A person who means "now" needs longer.
const sameRequest = time.Second

// endingSignals ask the process to end. SIGHUP comes when the terminal closes; it is one of them unless hangupReloads.
var endingSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// hangupReloads is set while SIGHUP asks for the configuration to be read again, and not for the end.
var hangupReloads atomic.Bool

// drains is set while a second signal ends the drain of a server, in place of the process.
var drains atomic.Bool

// cutKey is the key of the context that ends with the second signal, in the context of untilSignal.
type cutKey struct{}

// cutOf returns the context that ends with the second signal.
func cutOf(ctx context.Context) context.Context {
	if cut, ok := ctx.Value(cutKey{}).(context.Context); ok {
		return cut
	}
	return context.Background()
}

// untilSignal returns a context that ends with the first of endingSignals, whose name is the context's cause. Once
// sameRequest has passed, the next signal ends the context of cutOf if drains is set, and the one after that the
// process, as signals do by default. Without drains, the second signal ends the process. A SIGHUP that is ignored when
// the process starts, as nohup(1) has it, stays ignored.
func untilSignal() context.Context {
	cut, cutNow := context.WithCancel(context.Background())
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), cutKey{}, cut))
	received := make(chan os.Signal, 8) // hangups must not keep a signal that ends out
	var heeded []os.Signal
	for _, s := range endingSignals {
		if s != syscall.SIGHUP || !signal.Ignored(s) {
			heeded = append(heeded, s)
		}
	}
	signal.Notify(received, heeded...)
	next := func() os.Signal {
		s := <-received
		for s == syscall.SIGHUP && hangupReloads.Load() {
			s = <-received
		}
		return s
	}
	go func() {
		cancel(fmt.Errorf("%v signal received", next()))
		time.Sleep(sameRequest)
		for len(received) > 0 {
			<-received
		}
		if drains.Load() {
			next()
			cutNow()
		}
		signal.Reset(heeded...)
	}()
	return ctx
}

// outliveLog makes writes to standard error fail when its reader has gone. By default they end the process with
// SIGPIPE, and a server must outlive whatever collects its log.
func outliveLog() { signal.Ignore(syscall.SIGPIPE) }
