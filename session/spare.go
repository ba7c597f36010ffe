package session

import (
	"net/netip"
	"slices"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// A server that is full must still answer those who ask whether it lives, or they would restart it. So a few
// connections above the limit are let in, as spare ones: each may make one request, which gets 503 unless it is for
// Config.HealthPath. When there are too many of them, the oldest makes room, so clients that say nothing keep nobody
// out.

// spares are the spare connections of one shard, the oldest first. Loop-owned.
type spares struct {
	most    int      // of either list
	waiting []*spare // for their request, or its answer
	leaving []*spare // have had to make room, and get their 503
}

// spare is one connection above the limit. Loop-owned.
type spare struct {
	shard *Shard
	conn  StreamConn
}

// busy is the answer to whoever is turned away.
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

// SparesMax is how many connections above the limit there may be at once, with so many loops: twice
// Config.MaxHealthConns, because those that make room get an answer first, and two for each loop. One of these is the
// new one, for which nobody has made room yet; the other is taken for one within the limit now and then, because
// the end of a connection is counted in two steps.
func SparesMax(cfg Config, loops int) int {
	if cfg.MaxHealthConns == 0 {
		cfg.MaxHealthConns = defaultMaxHealthConns
	}
	return (2*sparesPerShard(&cfg, loops) + 2) * loops
}

// Spares is the number of connections that came by AcceptSpare. Safe for concurrent use.
func (e *Engine) Spares() int { return int(e.spares.Load()) }

func sparesPerShard(cfg *Config, shards int) int { return (cfg.MaxHealthConns + shards - 1) / shards }

// AcceptSpare takes a connection above the limit of connections, on its loop, and returns the receiver of its bytes.
// One request is answered: by App.Request if it is a GET or HEAD of Config.HealthPath, and with 503 otherwise. The
// caller keeps SparesMax descriptors for such connections.
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

// add takes one more, for which the oldest may have to make room.
func (l *spares) add(s *spare) {
	if len(l.waiting) >= l.most {
		oldest := l.waiting[0]
		l.waiting = slices.Delete(l.waiting, 0, 1)
		if len(l.leaving) >= l.most {
			l.leaving[0].conn.Close() // closed removes it, later
			l.leaving = slices.Delete(l.leaving, 0, 1)
		}
		l.leaving = append(l.leaving, oldest)
		if oldest.conn.Queue(busyResponse) {
			oldest.conn.CloseAfterFlush()
		}
	}
	l.waiting = append(l.waiting, s)
}

// closed takes the connection off the lists.
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

// turnsAway reports whether the request gets busy: its connection is a spare one, and it is not one for the health check,
// which has no body. A nil peer is that of no spare connection.
func (p *Peer) turnsAway(r *httpwire.Request, healthPath string) bool {
	if p == nil || p.spare == nil {
		return false
	}
	method := string(r.Method)
	return string(r.Path) != healthPath || method != "GET" && method != "HEAD" || r.ContentLength != 0
}
