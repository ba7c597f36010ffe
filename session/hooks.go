package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/seed58c87869/siren/codec/eio"
)

// hookCall is a handshake while its hooks run, on a goroutine of their own, where they may block.
type hookCall struct {
	opening
	// fields are the header fields of the answer.
	fields []string
	err    error
}

var (
	errHookFailed = errors.New("session: a hook panicked, or ended its goroutine")
	errBadSID     = errors.New("session: the id cannot be used, or is in use")
)

// callHooks runs the hooks for a handshake, and then opens the session or refuses it.
func callHooks(x *Exchange, o opening) {
	sh := x.conn.shard
	e := sh.engine
	if e.hooksRunning.Add(1) > int64(e.cfg.MaxHandshakes) {
		e.hooksRunning.Add(-1)
		e.giveBack(o.from)
		x.answer(sh.full("Too many handshakes", "MaxHandshakes", e.cfg.MaxHandshakes))
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	x.cancel = cancel
	running := e.cfg.Running
	if running != nil {
		running.Add(1)
	}
	a := &hookCall{opening: o, fields: x.fields, err: errHookFailed}
	go func() {
		if running != nil {
			defer running.Add(-1)
		}
		defer e.hooksRunning.Add(-1)
		// A hook that ends the goroutine refuses the handshake.
		defer x.conn.post(func() {
			cancel()
			a.resume(x)
		})
		a.run(ctx, e)
	}()
}

// run calls the hooks in their order: whether the client is allowed, the session's settings, its id, and the answer's
// header.
func (a *hookCall) run(ctx context.Context, e *Engine) {
	defer e.containHook("AllowRequest, Tune, GenerateID, OnInitialHeaders or OnHeaders")
	cfg, hs := &e.cfg, a.offer.first.handshake(e.cfg.TrustedProxies)
	var err error
	if cfg.Allow != nil {
		err = cfg.Allow(ctx, hs)
	}
	if err != nil || !a.supported {
		a.err = err
		return
	}
	if cfg.Tune != nil {
		a.tuned = e.tuned(hs)
	}
	if cfg.GenerateID != nil {
		a.sid = cfg.GenerateID(hs)
	}
	if cfg.OnInitialHeaders != nil || cfg.OnHeaders != nil {
		header := headerOf(a.fields)
		if cfg.OnInitialHeaders != nil {
			cfg.OnInitialHeaders(hs, header)
		}
		if cfg.OnHeaders != nil {
			cfg.OnHeaders(hs, header)
		}
		a.fields = pairsOf(header)
	}
	a.err = nil
}

// tuned returns the settings that Config.Tune chooses for one session, or nil for the engine's. Invalid settings are
// logged and ignored, because a faulty hook must not cost the client its session.
func (e *Engine) tuned(hs *Handshake) *tuning {
	t := e.tuning.Tuning
	e.cfg.Tune(hs, &t)
	if t == e.tuning.Tuning {
		return nil
	}
	announced, _ := announce(t.PingInterval, t.PingTimeout)
	out, err := e.tune(t, announced)
	if err != nil {
		e.logError("the settings of Tune are ignored", "err", err)
		return nil
	}
	return out
}

// resume continues a handshake whose hooks have returned, on the connection's loop.
func (a *hookCall) resume(x *Exchange) {
	h := x.conn
	x.cancel = nil
	if h.gone {
		h.shard.engine.giveBack(a.from)
		return
	}
	if a.err == nil {
		x.fields = a.fields
		a.open(x)
	} else {
		h.shard.engine.giveBack(a.from)
		var refusal Refusal
		_ = errors.As(a.err, &refusal)
		x.answer(refusalFor(eio.Forbidden, string(refusal), a.err))
	}
	h.conn.Resume()
}

// newSID returns the id of a new session: sid, from a hook, or else a generated one. It returns false if sid is invalid
// or in use.
func (e *Engine) newSID(sid string, home *Shard) (string, bool) {
	if f := e.cfg.Forwarder; f != nil {
		return f.NewSID(home.index), true
	}
	if sid == "" {
		sid = eio.NewSID(home.index)
	} else if !validSID(sid) {
		return "", false
	}
	return sid, e.sids == nil || e.sids.claim(sid, home)
}

// containHook, deferred around a hook, recovers, counts and logs its panic.
func (e *Engine) containHook(name string) {
	if p := recover(); p != nil {
		e.hookPanics.Add(1)
		e.logError("a hook panicked", "hook", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
}

func (e *Engine) logError(message string, attrs ...any) {
	if e.cfg.Logger != nil {
		e.cfg.Logger.Error(message, attrs...)
	}
}
