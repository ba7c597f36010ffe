package session

import (
	"net/http"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Content types of our answers.
const (
	typeText = "text/plain; charset=UTF-8"
	// typeHTML is for the answer to a POST: some browsers offer other types to be saved.
	typeHTML = "text/html"
	typeJSON = "application/json"
)

const (
	statusTooLarge = 413
	// responseHeadRoom is what an answer's head usually takes, so that it is made in one allocation.
	responseHeadRoom = 264
)

var okBody = []byte("ok")

// asker is a request that waits for its answer: a connection, and which of its requests. An answer may be
// given on any shard, and more than once; only the first one counts. Immutable; the zero value is nobody.
type asker struct {
	h    *HTTPConn
	turn uint32
}

// asker is the request in progress.
func (h *HTTPConn) asker() asker { return asker{h, h.turn} }

// reply is what an answer says; name and value are one more header field. Immutable.
type reply struct {
	contentType string
	name, value string
	body        []byte
	status      int
	// fault is set when the answer is one of the protocol's errors.
	fault *fault
	// data: the answer is made for this request alone and must not be stored by a cache.
	data bool
	// old: the browser is an Internet Explorer, which takes data for an attack (see oldBrowser).
	old bool
	// plain: the body is not to be compressed, however long.
	plain bool
	// early: the request's head decided the answer. If the request has a body, which need not have arrived, the
	// connection ends with it.
	early bool
}

// answer sends the answer to the request, from the shard that the caller runs on. The body is copied.
func (a asker) answer(from *Shard, r reply) {
	if from == a.h.shard {
		a.h.reply(a.turn, r)
		return
	}
	r.body = append([]byte(nil), r.body...)
	a.h.post(func() { a.h.reply(a.turn, r) })
}

// refuse answers with one of the protocol's errors; without a message, with the code's own.
func (a asker) refuse(from *Shard, code eio.ErrorCode, message string) {
	a.refuseFor(from, code, message, nil)
}

// refuseFor is refuse with what led to it.
func (a asker) refuseFor(from *Shard, code eio.ErrorCode, message string, cause error) {
	a.answer(from, refusalFor(code, message, cause))
}

// refuseEarly is refuse for a request that its head decides.
func (a asker) refuseEarly(from *Shard, code eio.ErrorCode, message string) {
	r := refusalFor(code, message, nil)
	r.early = true
	a.answer(from, r)
}

func refusalFor(code eio.ErrorCode, message string, cause error) reply {
	return reply{
		status: code.Status(), contentType: typeJSON, body: eio.AppendError(nil, code, message),
		fault: &fault{code, message, cause},
	}
}

// reply writes an answer to the request in progress, with the CORS headers that it needs, on the connection's loop.
func (h *HTTPConn) reply(turn uint32, r reply) {
	if h.gone || h.phase == phaseHanded || turn != h.turn {
		return
	}
	if r.fault != nil {
		h.shard.stats.refuse(r.fault.code)
		h.report(r.fault)
	}
	if h.phase != phaseBusy || r.early && h.traits.is(hasBody) {
		// The rest of the body is not read.
		h.last = true
	}
	sh := h.shard
	sh.fields = sh.fields[:0]
	if r.name != "" {
		sh.fields = append(sh.fields, r.name, r.value)
	}
	if r.data {
		sh.fields = append(sh.fields, "Cache-Control", "no-store")
	}
	if r.old {
		sh.fields = append(sh.fields, "X-XSS-Protection", "0")
	}
	sh.fields = append(sh.fields, h.cors...)
	body := h.pack(&r)
	h.send(httpwire.AppendResponse(make([]byte, 0, len(body)+responseHeadRoom), &httpwire.Response{
		Status: r.status, ContentType: r.contentType, Date: sh.date(), Body: body, Header: sh.fields,
		Close: h.last, Head: h.traits.is(isHead),
	}), nil)
}

// date is the value of Date (RFC 9110, section 6.6.1). It is made once a second, when the wall clock's second begins.
func (sh *Shard) date() string {
	if now := sh.loop.Now(); now >= sh.dateUntil {
		t := time.Now().UTC()
		sh.dateText = t.Format(http.TimeFormat)
		sh.dateUntil = now + int64(time.Second) - int64(t.Nanosecond())
	}
	return sh.dateText
}
