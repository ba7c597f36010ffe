package server

import "github.com/seed58c87869/siren/codec/eio"

// Compress(false) keeps the event from being compressed, on either transport: for what is compressed already, an image
// for instance. Events are compressed by default, where Config and the client allow for it and they are long enough. A
// polling answer is compressed when any event in it may be.
func (o Operator) Compress(on bool) Operator {
	o.flags.plain = !on
	return o
}

// Compress aims at all sockets; see Operator.Compress.
func (ns *Namespace) Compress(on bool) Operator { return ns.all().Compress(on) }

// Compress aims at all sockets of the namespaces; see Operator.Compress.
func (p *ParentNamespace) Compress(on bool) ParentOperator { return p.all().Compress(on) }

// Compress is Operator.Compress.
func (o ParentOperator) Compress(on bool) ParentOperator { return o.with(o.op.Compress(on)) }

// Compress makes an Emission that is compressed, as events are by default, or is not; see Operator.Compress.
func (s *Socket) Compress(on bool) Emission { return Emission{s: s}.Compress(on) }

// Compress says whether the event may be compressed; see Operator.Compress.
func (e Emission) Compress(on bool) Emission {
	e.flags.plain = !on
	return e
}

// deflate makes the compressed form of a broadcast's frame if anybody gets it: on the caller's goroutine, so that no loop
// spends its time on it.
func (srv *Server) deflate(b *broadcast) {
	for i := range srv.nloops {
		if b.target.OnShard(i) {
			srv.host.Engine().Deflate(b.frame)
			return
		}
	}
}

// mark makes a new packet what the flags say. It must not have been shared.
func (f *emitFlags) mark(packet *eio.Frame) {
	if f.plain {
		eio.Plain(packet)
	}
}
