package server

import "github.com/seed58c87869/siren/codec/eio"

// Compress(false) disables compression of the event, on either transport, for data that is compressed already, such as
// an image. By default events are compressed if Config and the client allow it and they are long enough. A polling
// answer is compressed if any event in it may be.
func (o Operator) Compress(on bool) Operator {
	o.flags.plain = !on
	return o
}

// Compress selects all sockets; see Operator.Compress.
func (ns *Namespace) Compress(on bool) Operator { return ns.all().Compress(on) }

// Compress selects all sockets of the namespaces; see Operator.Compress.
func (p *ParentNamespace) Compress(on bool) ParentOperator { return p.all().Compress(on) }

// Compress is Operator.Compress.
func (o ParentOperator) Compress(on bool) ParentOperator { return o.with(o.op.Compress(on)) }

// Compress returns an Emission with or without compression; see Operator.Compress.
func (s *Socket) Compress(on bool) Emission { return Emission{s: s}.Compress(on) }

// Compress sets whether the event may be compressed; see Operator.Compress.
func (e Emission) Compress(on bool) Emission {
	e.flags.plain = !on
	return e
}

// deflate makes the compressed form of a broadcast's frame if any receiver needs it, on the caller's goroutine, so that
// no loop spends time on it.
func (srv *Server) deflate(b *broadcast) {
	for i := range srv.nloops {
		if b.target.OnShard(i) {
			srv.host.Engine().Deflate(b.frame)
			return
		}
	}
}

// mark applies the flags to a new packet, which must not be shared yet.
func (f *emitFlags) mark(packet *eio.Frame) {
	if f.plain {
		eio.Plain(packet)
	}
}
