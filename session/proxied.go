package session

import (
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/proxyproto"
	"github.com/seed58c87869/siren/poller/wheel"
)

// proxied is a connection of which a PROXY header is expected; behind it, it is an HTTPConn. Loop-owned.
type proxied struct {
	engine *Engine
	shard  *Shard
	conn   StreamConn
	timer  wheel.Timer
}

func newProxied(e *Engine, sh *Shard, c StreamConn) Receiver {
	p := &proxied{engine: e, shard: sh, conn: c}
	p.timer.Init(p)
	if len(e.cfg.TrustedProxies) > 0 && !trusts(e.cfg.TrustedProxies, c.RemoteAddr().Addr()) {
		p.refuse(&sh.stats.untrusted, "the peer is none of TrustedProxies")
		return p
	}
	sh.loop.Wheel().Schedule(&p.timer, wheel.Deadline(sh.loop.Now(), e.cfg.HeaderTimeout))
	return p
}

// Expire closes a connection whose header takes too long.
func (p *proxied) Expire(int64) {
	p.refuse(&p.shard.stats.noProxy, "the header did not come within HeaderTimeout")
}

// refuse closes the connection, counts it, and logs it now and then.
func (p *proxied) refuse(count *atomic.Uint64, why string) {
	count.Add(1)
	e := p.engine
	if e.cfg.Logger != nil && e.unproxied.pass(p.shard.loop.Now()) {
		e.cfg.Logger.Warn("connection closed: ProxyProtocol is set", "addr", p.conn.RemoteAddr(), "reason", why)
	}
	p.conn.Close()
}

// Receive implements Receiver.
func (p *proxied) Receive(data []byte) (n, need int) {
	header, n, err := proxyproto.Parse(data)
	switch {
	case err != nil:
		p.refuse(&p.shard.stats.noProxy, err.Error())
		return len(data), 0
	case n == 0:
		return 0, 0
	}
	p.shard.loop.Wheel().Cancel(&p.timer)
	var peer *Peer
	if header.Source.IsValid() {
		peer = &Peer{Addr: header.Source}
	}
	p.conn.SetReceiver(newHTTPConn(p.engine, p.shard, p.conn, peer))
	return n, 0
}

// Closed implements Receiver.
func (p *proxied) Closed(error) { p.shard.loop.Wheel().Cancel(&p.timer) }
