package session

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Content types of answers.
const (
	typeText = "text/plain; charset=UTF-8"
	// typeHTML is the type of the answer to a POST. Some browsers offer to save other types.
	typeHTML = "text/html"
	typeJSON = "application/json"
)

const (
	statusTooLarge = 413
	// responseHeadRoom is the usual size of an answer's head, so that it takes one allocation.
	responseHeadRoom = 264
)

var okBody = []byte("ok")

// reply is the content of an answer; name and value are one more header field. Immutable.
type reply struct {
	contentType string
	name, value string
	body        []byte
	status      int
	// fault is set when the answer is one of the protocol's errors.
	fault *fault
	// data means that caches must not store the answer, because it is made for this request alone.
	data bool
	// old means that the browser is an Internet Explorer, which must be told that the body is no attack (see
	// oldBrowser).
	old bool
	// plain means that the body is not compressed, however long it is.
	plain bool
	// early means that the request's head decided the answer. If the request has a body, which need not have arrived,
	// the connection ends with the answer.
	early bool
	// last means that the connection ends with the answer in any case.
	last bool
}

// answer answers the request. from is the caller's shard. The body is copied.
func (a requestRef) answer(from *Shard, r reply) {
	if from == a.x.conn.shard {
		a.give(r)
		return
	}
	r.body = append([]byte(nil), r.body...)
	a.x.conn.post(func() { a.give(r) })
}

// give answers the request unless it was answered. It is called on the connection's loop.
func (a requestRef) give(r reply) {
	if a.waits() {
		a.x.answer(r)
	}
}

// refuse answers with one of the protocol's errors. An empty message means the code's own.
func (a requestRef) refuse(from *Shard, code eio.ErrorCode, message string) {
	a.answer(from, refusalFor(code, message, nil))
}

// refuseEarly is refuse for an answer that the request's head decides (reply.early).
func (a requestRef) refuseEarly(from *Shard, code eio.ErrorCode, message string) {
	r := refusalFor(code, message, nil)
	r.early = true
	a.answer(from, r)
}

// refusalFor returns the answer with one of the protocol's errors. An empty message means the code's own. cause is the
// error that led to it, or nil.
func refusalFor(code eio.ErrorCode, message string, cause error) reply {
	return reply{
		status: code.Status(), contentType: typeJSON, body: eio.AppendError(nil, code, message),
		fault: &fault{code, message, cause},
	}
}

// answer writes the answer to the request in progress, on the connection's loop.
func (x *Exchange) answer(r reply) {
	sh := x.conn.shard
	if x.conn.gone || sh.kept != nil && x.passOn(r) {
		return
	}
	if r.fault != nil {
		sh.stats.refuse(r.fault.code)
		sh.report(x, r.fault)
	}
	if x.traits&(asks|asksUpgrade) != 0 && r.status >= 400 {
		sh.stats.refuseWhat(x.traits)
	}
	if r.status >= 400 && sh.engine.debug.Load() {
		x.debugRefused(&r)
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
	x.send(sh.encode(&httpwire.Response{
		Status: r.status, ContentType: r.contentType, Date: sh.date(), Body: body, Header: sh.fields,
		Close: x.last, Head: x.traits.is(isHead),
	}), nil)
}

// encode returns the answer with its body, in one allocation. It expects a head that is no longer than those before.
func (sh *Shard) encode(r *httpwire.Response) []byte {
	out := httpwire.AppendResponse(make([]byte, 0, sh.headRoom+len(r.Body)), r)
	if head := len(out) - len(r.SentBody()); head > sh.headRoom {
		sh.headRoom = min(head+lengthSpare, responseHeadRoom)
	}
	return out
}

// lengthSpare is room for a Content-Length that has more digits than those before.
const lengthSpare = 3

// send ends the exchange with its encoded answer, followed by a body that is not copied.
func (x *Exchange) send(out, body []byte) {
	x.end()
	x.conn.write(x, out, body)
}

// fail answers a request that cannot be handled and ends the connection; its body need not have been read. It also ends
// a session that waits for the body, except if the body was too long: then the client knows that nothing of it was
// handled, and may continue, as with the reference server.
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

// failTooLarge answers a request whose body is too long. On the engine's own path the answer has no text, as in the
// reference.
func (x *Exchange) failTooLarge(r *httpwire.Request) {
	reason := ""
	if !x.conn.shard.engine.ownPath(r.Path) {
		reason = "body too long"
	}
	x.fail(statusTooLarge, reason)
}

// respondCopyMax is the longest body that Respond copies behind the head, so that both leave in one frame.
const respondCopyMax = 16 << 10

// Respond answers a request that App.Request was given. It must be called on the connection's loop, once. A long body
// is not copied: r.Body must not change afterwards. CORS headers are the caller's. Date is added unless the response
// has one.
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

// date returns the value of Date (RFC 9110, section 6.6.1). It is formatted once a second, at the wall clock's second.
func (sh *Shard) date() string {
	if now := sh.loop.Now(); now >= sh.dateUntil {
		t := time.Now().UTC()
		sh.dateText = t.Format(http.TimeFormat)
		sh.dateUntil = now + int64(time.Second) - int64(t.Nanosecond())
	}
	return sh.dateText
}
