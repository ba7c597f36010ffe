package server

import "github.com/seed58c87869/siren/server/internal/packets"

// Prepared is an event that is encoded once and sent often, to any sockets of any namespace. Immutable, safe for
// concurrent use.
type Prepared struct{ packet packets.Prepared }

// Prepare encodes an event, with the built-in JSON library. Errors: ErrReserved, ErrEncode. The arguments, and byte
// slices in them, must not change as long as it is in use.
func Prepare(event string, args ...any) (*Prepared, error) {
	return prepare(packets.Default, event, args)
}

// Prepare is the function Prepare with the server's own JSON library, see Config.JSON.
func (srv *Server) Prepare(event string, args ...any) (*Prepared, error) {
	return prepare(srv.enc, event, args)
}

func prepare(enc *packets.Encoding, event string, args []any) (*Prepared, error) {
	p := new(Prepared)
	if err := enc.Prepare(&p.packet, event, args); err != nil {
		return nil, err
	}
	return p, nil
}

// Size returns the number of bytes that the event takes, for a client that is sent it without compression: its JSON and
// its attachments, without what frames and namespaces add. See Queue.MaxBytes for how much may wait for one client.
func (p *Prepared) Size() int { return p.packet.Size() }

// EmitPrepared broadcasts a prepared event, as Emit does.
func (o Operator) EmitPrepared(p *Prepared) (int, error) {
	if err := o.flags.check(); err != nil {
		return 0, err
	}
	if o.ns.history != nil {
		return o.emitKept(p.packet.Fill)
	}
	f, err := p.packet.Frame(o.ns.srv.enc, o.ns.name, o.flags.plain)
	if err != nil {
		return 0, err
	}
	return o.send(f, p.packet.Data())
}

// EmitPrepared broadcasts a prepared event to all sockets of the namespace.
func (ns *Namespace) EmitPrepared(p *Prepared) (int, error) { return ns.all().EmitPrepared(p) }

// EmitPrepared sends a prepared event to the client, as Emit does.
func (s *Socket) EmitPrepared(p *Prepared) error { return Emission{s: s}.EmitPrepared(p) }
