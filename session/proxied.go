package session

import (
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/proxyproto"
	"github.com/seed58c87869/siren/poller/wheel"
)

// proxied is a connection that waits for its PROXY header. After it, the connection becomes an HTTPConn. Loop-owned.
type proxied struct {
	engine *Engine
	shard  *Shard
	conn   StreamConn
	timer  wheel.Timer
	spare  *spare // nil unless it is above the limit
}

func newProxied(e *Engine, sh *Shard, c StreamConn, s *spare) Receiver {
	p := &proxied{engine: e, shard: sh, conn: c, spare: s}
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
	defer closeOnPanic(p.conn)
	p.refuse(&p.shard.stats.noProxy, "the header did not come within HeaderTimeout")
}

// refuse closes the connection, counts it, and logs a warning at a limited rate.
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
	addr := p.conn.RemoteAddr()
	if header.Source.IsValid() {
		addr = header.Source
	}
	switch {
	case p.spare != nil:
		p.conn.SetReceiver(newSpareConn(p.shard, p.conn, p.spare, addr))
	case header.Source.IsValid():
		p.conn.SetReceiver(newHTTPConn(p.shard, p.conn, &Peer{Addr: addr}))
	default:
		p.conn.SetReceiver(newHTTPConn(p.shard, p.conn, nil))
	}
	return n, 0
}

// Closed implements Receiver.
func (p *proxied) Closed(error) {
	p.shard.loop.Wheel().Cancel(&p.timer)
	p.spare.closed()
}
