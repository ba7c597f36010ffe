package servertest

import (
	"bytes"
	"runtime"
	"strings"
	"testing/synctest"
	"time"
)

// Settle lets the server and the clients run until nothing is left to do at this time: the loops are idle, the clients
// have read everything, the Logger has all records, and no handler runs except those that wait for a client in Request
// or Call. A handler that does not return makes the test fail, with its stack, after the time of SetPatience. In a
// bubble of testing/synctest handlers may block on anything.
func (ts *Server) Settle() {
	ts.t.Helper()
	ts.settle()
}

func (ts *Server) settle() {
	ts.t.Helper()
	if !ts.settles() {
		ts.t.Fatalf("servertest: handlers, or that of the Logger, are still at work after %v:\n%s\nHandlers that wait for the test need a bubble of "+
			"testing/synctest, or Server.Manual.", ts.patience, handlers())
	}
}

// settles returns false if a handler does not return.
func (ts *Server) settles() bool {
	for {
		switch {
		case ts.runLoops():
		case !ts.awaitHandlers():
			return false
		case ts.posted():
		case ts.receive():
		case ts.catchUp():
		case !ts.awaitLog():
			return false
		case ts.posted(): // by what the Logger's handler did
		default:
			return true
		}
	}
}

// work is settle without waiting for handlers.
func (ts *Server) work() {
	for ts.runLoops() || ts.receive() || ts.catchUp() {
	}
}

// did is called when a client has done something.
func (ts *Server) did() {
	ts.t.Helper()
	if ts.manual || ts.closed {
		ts.work()
		return
	}
	ts.settle()
}

// await runs the loops and clients until cond holds. It returns false if it does not and nothing is left to do.
func (ts *Server) await(cond func() bool) bool {
	ts.t.Helper()
	if !ts.manual || ts.closed {
		ts.did()
		return cond()
	}
	for {
		ts.work()
		if cond() {
			return true
		}
		if !ts.awaitHandlers() || !ts.posted() {
			return false
		}
	}
}

// runLoops runs the posted tasks of the loops. It returns false if there are none.
func (ts *Server) runLoops() bool {
	ran := 0
	for _, l := range ts.loops {
		ran += l.RunUntilIdle()
	}
	return ran > 0
}

func (ts *Server) posted() bool {
	for _, l := range ts.loops {
		if l.Posted() > 0 {
			return true
		}
	}
	return false
}

// receive makes one client handle one received packet or response. It returns false if there is none.
func (ts *Server) receive() bool {
	for _, l := range ts.links {
		if l.receive() {
			return true
		}
	}
	return false
}

// awaitHandlers waits until no handler runs, or something is posted, which one of them may wait for. It returns false
// if that takes longer than the test's patience.
func (ts *Server) awaitHandlers() bool {
	if ts.clock.bubble {
		synctest.Wait()
		return true
	}
	for range 100 {
		if ts.quiet() {
			return true
		}
		runtime.Gosched()
	}
	pause := 20 * time.Microsecond
	for deadline := time.Now().Add(ts.patience); time.Now().Before(deadline); pause = min(2*pause, time.Millisecond) {
		if ts.quiet() {
			return true
		}
		select {
		case <-ts.clock.wake:
		case <-time.After(pause):
		}
	}
	return ts.quiet()
}

// awaitLog waits until the Logger has all records. It returns false if that takes longer than the test's patience.
func (ts *Server) awaitLog() bool { return ts.logs.Flush(ts.patience) }

func (ts *Server) quiet() bool {
	if ts.posted() {
		return true
	}
	st := ts.Stats()
	return st.Handlers == st.Waiting
}

// handlers returns the stacks of goroutines that run handlers, of this server or of others in the process.
func handlers() string {
	const most = 5
	buf := make([]byte, 1<<20)
	var out []string
	for g := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		text := string(g)
		if strings.Contains(text, "siren/session.(*Inbox).run(") || strings.Contains(text, "siren/server.(*Message).") ||
			strings.Contains(text, "siren/server.(*turns).take.") ||
			strings.Contains(text, "siren/server.(*Server).runFallback(") || strings.Contains(text, "siren/session.(*Engine).allow(") {
			out = append(out, text)
		}
	}
	if len(out) > most {
		out = append(out[:most], "...")
	}
	return strings.Join(out, "\n\n")
}
