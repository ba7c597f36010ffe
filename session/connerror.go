package session

import (
	"encoding/json"
	"maps"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// ConnectionError describes a request that was refused with one of the protocol's error codes. Immutable.
type ConnectionError struct {
	// Code and Message are what the response said.
	Code    eio.ErrorCode
	Message string
	// Request is the refused request.
	Request *Handshake
	// Context has details under the reference's keys: "transport", "sid", "method", "protocol", "origin", "name", and
	// "error" for a refusal by Config.Allow or an invalid id. It may be empty.
	Context map[string]any
}

// MarshalJSON gives the error the form of the reference's connection_error, with the request's handshake as req.
func (e ConnectionError) MarshalJSON() ([]byte, error) {
	context := maps.Clone(e.Context)
	if err, ok := context["error"].(error); ok {
		context["error"] = err.Error()
	}
	return json.Marshal(struct {
		Request *Handshake     `json:"req"`
		Code    int            `json:"code"`
		Message string         `json:"message"`
		Context map[string]any `json:"context"`
	}{e.Request, int(e.Code), e.Message, context})
}

// Bounds of the refusals that wait for Config.OnConnectionError; a client may send invalid requests at a high rate.
const (
	connectionErrorsMax     = 1024
	connectionErrorBytesMax = 1 << 20
)

// fault is the reason why a request was refused. Immutable.
type fault struct {
	code eio.ErrorCode
	// message is the text of the response; empty means the code's own.
	message string
	// cause is the error of a hook that led to the refusal, if any.
	cause error
}

// refused is a refusal to be reported to the hook.
type refused struct {
	*fault
	e     *Engine
	first firstRequest
}

// note keeps a request for Config.OnConnectionError, if that is set.
func (sh *Shard) note(x *Exchange, r *httpwire.Request) {
	if sh.noted != nil {
		sh.noted[x] = x.firstRequest(r)
	}
}

// report calls Config.OnConnectionError for a refused request, off the loop. When too many refusals wait for the hook,
// it only counts.
func (sh *Shard) report(x *Exchange, f *fault) {
	first, ok := sh.noted[x]
	if !ok {
		return
	}
	e := sh.engine
	limits := InboxLimits{Jobs: connectionErrorsMax, Bytes: connectionErrorBytesMax, Running: e.cfg.Running}
	if !e.refusals.Put(&refused{f, e, first}, len(first), &limits) {
		e.unreported.Add(1)
	}
}

// Do implements Job.
func (r *refused) Do() {
	defer r.e.containHook("OnConnectionError")
	request := r.first.handshake(r.e.cfg.TrustedProxies)
	message := r.message
	if message == "" {
		message = r.code.Message()
	}
	r.e.cfg.OnConnectionError(ConnectionError{Code: r.code, Message: message, Request: request, Context: r.context(request)})
}

// context returns details of what is wrong with the request.
func (r *refused) context(h *Handshake) map[string]any {
	c := map[string]any{}
	query := func(key string) {
		if v := h.Query(); v.Has(key) {
			c[key] = v.Get(key)
		}
	}
	switch r.code {
	case eio.TransportUnknown:
		query("transport")
	case eio.SessionIDUnknown:
		query("sid")
	case eio.BadHandshakeMethod:
		c["method"] = h.Method()
	case eio.UnsupportedProtocolVersion:
		c["protocol"] = h.Query().Get("EIO")
	case eio.Forbidden:
		if r.cause == nil {
			c["name"], c["origin"] = "INVALID_ORIGIN", h.Header("Origin")
		}
	default:
		if r.cause == errBadSID {
			c["name"] = "ID_GENERATION_ERROR"
		}
	}
	if r.cause != nil {
		c["error"] = r.cause
	}
	return c
}
