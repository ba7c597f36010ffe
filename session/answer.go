package session

import (
	"net/http"
	"strings"
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
	// last: the connection ends with it in any case.
	last bool
}

// answer sends the answer to the request, from the shard that the caller runs on. The body is copied.
func (a asker) answer(from *Shard, r reply) {
	if from == a.x.conn.shard {
		a.give(r)
		return
	}
	r.body = append([]byte(nil), r.body...)
	a.x.conn.post(func() { a.give(r) })
}

// give is answer on the connection's loop.
func (a asker) give(r reply) {
	if a.waits() {
		a.x.answer(r)
	}
}

// refuse answers with one of the protocol's errors; without a message, with the code's own.
func (a asker) refuse(from *Shard, code eio.ErrorCode, message string) {
	a.answer(from, refusalFor(code, message, nil))
}

// refuseEarly is refuse for a request that its head decides.
func (a asker) refuseEarly(from *Shard, code eio.ErrorCode, message string) {
	r := refusalFor(code, message, nil)
	r.early = true
	a.answer(from, r)
}

// refusalFor is the answer with one of the protocol's errors; without a message, with the code's own. cause is what led to
// it, and may be nil.
func refusalFor(code eio.ErrorCode, message string, cause error) reply {
	return reply{
		status: code.Status(), contentType: typeJSON, body: eio.AppendError(nil, code, message),
		fault: &fault{code, message, cause},
	}
}

// answer writes the answer to the request in progress, on the connection's loop.
func (x *Exchange) answer(r reply) {
	sh := x.conn.shard
	if x.conn.gone {
		return
	}
	if r.fault != nil {
		sh.stats.refuse(r.fault.code)
		sh.report(x, r.fault)
	}
	if r.last || !x.traits.is(whole) || r.early && x.traits.is(hasBody) {
		// The rest of the body is not read.
		x.last = true
	}
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
	sh.fields = append(sh.fields, x.fields...)
	body := sh.pack(&r, x.coding)
	x.send(httpwire.AppendResponse(make([]byte, 0, len(body)+responseHeadRoom), &httpwire.Response{
		Status: r.status, ContentType: r.contentType, Date: sh.date(), Body: body, Header: sh.fields,
		Close: x.last, Head: x.traits.is(isHead),
	}), nil)
}

// send ends the exchange with the bytes of its answer, and behind them a body that was not copied.
func (x *Exchange) send(out, body []byte) {
	x.end()
	x.conn.write(x, out, body)
}

// fail answers a request that cannot be handled, with its body read or not, and ends the connection. A session that
// waited for the body ends too, unless the body was merely too long: then the client knows that nothing of it was
// handled, and may go on, as with the reference server.
func (x *Exchange) fail(status int, reason string) {
	if x.home != nil {
		x.leave(status != statusTooLarge)
	}
	r := reply{status: status, last: true}
	if reason != "" {
		r.contentType, r.body = typeText, []byte(reason)
	}
	x.answer(r)
}

// failTooLarge answers a request whose body is too long: for the engine's own path without a text, as the reference
// does.
func (x *Exchange) failTooLarge(r *httpwire.Request) {
	reason := ""
	if !x.conn.shard.engine.ownPath(r.Path) {
		reason = "body too long"
	}
	x.fail(statusTooLarge, reason)
}

// respondCopyMax is the longest body that Respond copies behind the head, so that both leave in one frame.
const respondCopyMax = 16 << 10

// Respond answers a request that App.Request was given. It must be called on the connection's loop, once. A long body is
// not copied: r.Body must not change any more. CORS headers are the caller's. Date is added unless the response has one.
func (x *Exchange) Respond(r *httpwire.Response) {
	if x.conn.gone || !x.traits.is(whole) {
		return
	}
	out := *r
	out.Close, out.Head = r.Close || x.last, x.traits.is(isHead)
	x.last = out.Close
	if out.Date == "" && !hasDate(r.Header) {
		out.Date = x.conn.shard.date()
	}
	if len(r.Body) > respondCopyMax {
		x.send(httpwire.AppendResponseHead(make([]byte, 0, responseHeadRoom), &out), out.SentBody())
		return
	}
	x.send(httpwire.AppendResponse(make([]byte, 0, len(r.Body)+responseHeadRoom), &out), nil)
}

// hasDate reports whether name/value pairs have a Date.
func hasDate(pairs []string) bool {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.EqualFold(pairs[i], "Date") {
			return true
		}
	}
	return false
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
