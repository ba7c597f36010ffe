package session

import (
	"net/netip"
	"slices"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// A full server must still answer health checks, or it would be restarted. So a few spare connections above the limit
// are accepted. Each may make one request, which gets 503 unless it is for Config.HealthPath. If there are too many
// spare connections, the oldest is closed, so that silent clients cannot keep others out.

// spares holds the spare connections of one shard, oldest first. Loop-owned.
type spares struct {
	most    int      // the greatest length of either list
	waiting []*spare // connections that wait for their request or its response
	leaving []*spare // connections that newer ones have replaced, while they get 503
}

// spare is one connection above the limit. Loop-owned.
type spare struct {
	shard *Shard
	conn  StreamConn
}

// busy is the response to refused clients.
var busy = reply{
	status: 503, contentType: typeText, name: "Retry-After", value: "5", body: []byte("Too many connections"),
	last: true,
}

// busyResponse is busy for a connection whose request has not come. It is made in advance, so it has no Date, which an
// error of the server may lack (RFC 9110, section 6.6.1).
var busyResponse = httpwire.AppendResponse(nil, &httpwire.Response{
	Status: busy.status, ContentType: busy.contentType, Body: busy.body,
	Header: []string{busy.name, busy.value}, Close: true,
})

// SparesMax returns the greatest number of connections above the limit at once, with so many loops: twice
// Config.MaxHealthConns, because a replaced connection is answered before it closes, and two for each loop. One of
// these two is the newest connection, before an older one is closed. The other has ended for the Engine, and its
// descriptor is about to close.
func SparesMax(cfg Config, loops int) int {
	if cfg.MaxHealthConns == 0 {
		cfg.MaxHealthConns = defaultMaxHealthConns
	}
	return (2*sparesPerShard(&cfg, loops) + 2) * loops
}

// Spares returns the number of connections accepted by AcceptSpare. Safe for concurrent use.
func (e *Engine) Spares() int { return int(e.spares.Load()) }

func sparesPerShard(cfg *Config, shards int) int { return (cfg.MaxHealthConns + shards - 1) / shards }

// AcceptSpare takes a connection above the limit of connections, on its loop, and returns its Receiver. One request is
// answered: by App.Request if it is a GET or HEAD of Config.HealthPath, and with 503 otherwise. The caller must reserve
// SparesMax descriptors for such connections.
func (e *Engine) AcceptSpare(c StreamConn, loop int) Receiver {
	sh := e.shards[loop]
	s := &spare{shard: sh, conn: c}
	e.spares.Add(1)
	sh.stats.overLimit.Add(1)
	sh.spares.add(s)
	if e.cfg.ProxyProtocol {
		return newProxied(e, sh, c, s)
	}
	return newSpareConn(sh, c, s, c.RemoteAddr())
}

// add adds a connection. If there are too many, the oldest is replaced.
func (l *spares) add(s *spare) {
	if len(l.waiting) >= l.most {
		oldest := l.waiting[0]
		l.waiting = slices.Delete(l.waiting, 0, 1)
		if len(l.leaving) >= l.most {
			l.leaving[0].conn.Close() // closed removes it, later
			l.leaving = slices.Delete(l.leaving, 0, 1)
		}
		l.leaving = append(l.leaving, oldest)
		oldest.shard.stats.busy.Add(1)
		if oldest.conn.Queue(busyResponse) {
			oldest.conn.CloseAfterFlush()
		}
	}
	l.waiting = append(l.waiting, s)
}

// closed removes the connection from the lists.
func (s *spare) closed() {
	if s == nil {
		return
	}
	s.shard.engine.spares.Add(-1)
	is := func(other *spare) bool { return other == s }
	l := &s.shard.spares
	l.waiting, l.leaving = slices.DeleteFunc(l.waiting, is), slices.DeleteFunc(l.leaving, is)
}

// newSpareConn is newHTTPConn for a spare connection, whose peer has that address.
func newSpareConn(sh *Shard, c StreamConn, s *spare, addr netip.AddrPort) *HTTPConn {
	return newHTTPConn(sh, c, &Peer{Addr: addr, Single: true, spare: s})
}

// turnsAway reports whether the answer is busy: the connection is a spare one, and the request is not a health check
// without a body. It returns false for a nil peer.
func (p *Peer) turnsAway(r *httpwire.Request, healthPath string) bool {
	if p == nil || p.spare == nil {
		return false
	}
	method := string(r.Method)
	return string(r.Path) != healthPath || method != "GET" && method != "HEAD" || r.ContentLength != 0
}
