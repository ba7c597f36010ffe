package mount

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/seed58c87869/siren/session"
)

// visit is a request that net/http has read and the session layer answers: a bridge for one request and one answer. It
// belongs to the request's goroutine.
type visit struct {
	*bridge
	h      *Handler
	engine *engine
	r      *http.Request
	rc     *http.ResponseController
	kicks  chan struct{}
	quit   <-chan struct{}
	frames [][]byte
	answer answerReader
}

// visit serves a request that does not ask for a WebSocket.
func (h *Handler) visit(e *engine, w http.ResponseWriter, r *http.Request, target string) {
	v := &visit{
		h: h, engine: e, r: r, rc: http.NewResponseController(w), kicks: make(chan struct{}, 1), quit: h.done(),
		answer: answerReader{head: r.Method == http.MethodHead},
	}
	peer := peerOf(r)
	v.bridge = newBridge(h.loopFor(e, r), peer.Addr, v.kicked)
	// The program's time-outs are meant for handlers that answer at once.
	_ = v.rc.SetWriteDeadline(time.Time{})
	v.begin(func(c session.StreamConn, loop int) session.Receiver { return e.AcceptFrom(c, loop, peer) },
		appendHead(nil, r, target, r.ContentLength))
	whole, err := v.bring(newVisitBody(r))
	if err == nil {
		if whole {
			// net/http reads on, to see the client go. What is left of a body it reads with the body's deadline.
			_ = v.rc.SetReadDeadline(time.Time{})
		}
		err = v.await()
	}
	v.finish(err)
	if err != nil {
		v.refuse(w, err)
		return
	}
	if !whole {
		_ = v.rc.SetReadDeadline(time.Now().Add(linger))
	}
	v.reply(w)
}

func (v *visit) kicked() {
	select {
	case v.kicks <- struct{}{}:
	default:
	}
}

// bring passes the body to the loop as it arrives, each part when the loop has handled the one before. It stops when
// the answer is complete, so that an unwanted body is not read. whole reports whether all of the body was read.
func (v *visit) bring(body *visitBody) (whole bool, err error) {
	v.setBodyDeadline()
	for {
		select {
		case <-v.fed:
		case <-v.r.Context().Done():
			return false, context.Cause(v.r.Context())
		case <-v.quit:
			return false, errCut
		case <-v.h.cfg.Failed: // the event loops have failed
			return false, errCut
		}
		if answered, _ := v.collect(); answered || body.whole() {
			return body.whole(), nil
		}
		part, err := body.next()
		if err != nil {
			return false, err
		}
		v.feed(part)
	}
}

// setBodyDeadline bounds the time for the body, like the session layer, which does not see a read that blocks.
func (v *visit) setBodyDeadline() {
	if v.r.ContentLength == 0 {
		return
	}
	_ = v.rc.SetReadDeadline(time.Now().Add(v.engine.Config().BodyTimeout))
}

// await waits for the answer.
func (v *visit) await() error {
	for {
		switch whole, ending := v.collect(); {
		case whole:
			return nil
		case ending != bridgeOpen:
			return io.ErrUnexpectedEOF // it ended without one
		}
		select {
		case <-v.kicks:
		case <-v.r.Context().Done():
			return context.Cause(v.r.Context())
		case <-v.quit:
			return errCut
		case <-v.h.cfg.Failed:
			return errCut
		}
	}
}

// collect takes the output and reports whether the answer is complete, and how the connection ends after it.
func (v *visit) collect() (whole bool, ending bridgeEnding) {
	v.frames, ending = v.take(v.frames)
	for _, f := range v.frames {
		v.answer.add(f)
		v.sent(len(f))
	}
	return v.answer.whole(), ending
}

// refuse answers if the session layer does not.
func (v *visit) refuse(w http.ResponseWriter, err error) {
	closes(w, v.r)
	switch {
	case errors.Is(err, errCut):
		unavailable(w, v.r)
	case errors.Is(err, os.ErrDeadlineExceeded):
		http.Error(w, "Request timeout", http.StatusRequestTimeout)
	default:
		http.Error(w, "Bad request", http.StatusBadRequest) // if anybody is there still
	}
}

// reply writes the answer. The session layer's fields replace those of middleware.
func (v *visit) reply(w http.ResponseWriter) {
	_ = v.rc.SetWriteDeadline(time.Now().Add(v.h.cfg.WriteTimeout))
	h := w.Header()
	for name, values := range v.answer.header {
		switch {
		case name == "Connection" && v.r.ProtoMajor > 1:
		case name == "Vary" || name == "Set-Cookie":
			h[name] = append(h[name], values...)
		default:
			h[name] = values
		}
	}
	w.WriteHeader(v.answer.status)
	_, err := w.Write(v.answer.body)
	if err == nil || errors.Is(err, http.ErrBodyNotAllowed) {
		err = v.rc.Flush()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		v.loop.PostFunc(func() { v.CountCut(1) })
	}
	_ = v.rc.SetWriteDeadline(time.Time{}) // the connection may serve others of the program's handlers
}
