package servertest

import (
	"net/http"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/codec/wsframe"
)

// receive handles one received packet or response. It returns false if there is none.
func (l *link) receive() bool {
	if l.reason != "" || l.paused {
		return false
	}
	if len(l.in) > 0 {
		p := l.in[0]
		l.in = l.in[1:]
		l.handle(p)
		return true
	}
	return l.probe != nil && l.readProbe() || l.ws != nil && l.readWebSocket() || l.post != nil && l.readPost() || l.pollMore()
}

// readWebSocket reads one message of the session's WebSocket.
func (l *link) readWebSocket() bool {
	p, ok := l.readFrame(l.ws)
	if p != nil {
		l.in = append(l.in, *p)
	}
	if !ok && l.ws.closed() {
		l.end(reasonClose)
		return true
	}
	return ok
}

// readFrame reads from a WebSocket: the answer to its opening handshake, a message, or a control frame.
func (l *link) readFrame(w *wire) (p *packet, ok bool) {
	if !w.webSocket {
		r, body, err := w.response()
		switch {
		case err != nil:
			l.end(reasonParse)
		case r == nil:
			return nil, false
		case r.StatusCode == http.StatusSwitchingProtocols:
			w.webSocket = true
		case w == l.probe:
			l.dropProbe()
		default:
			l.refused(r, body)
		}
		return nil, true
	}
	var m wsframe.Message
	ok, err := w.message(&m)
	if err != nil {
		l.end(reasonParse)
		return nil, true
	}
	if !ok {
		return nil, false
	}
	switch m.Kind {
	case wsframe.Text:
		return &packet{text: string(m.Data)}, true
	case wsframe.Binary:
		return &packet{binary: append([]byte{}, m.Data...)}, true
	case wsframe.Ping:
		w.write(wsframe.AppendMaskedFrame(nil, ws.OpPong, true, [4]byte{1, 2, 3, 4}, m.Data))
	case wsframe.Close:
		if w == l.probe {
			l.dropProbe()
		} else {
			l.end(reasonClose)
		}
	}
	return nil, true
}

// readProbe reads one message of an upgrade's WebSocket.
func (l *link) readProbe() bool {
	opening := !l.probe.webSocket
	p, ok := l.readFrame(l.probe)
	switch {
	case l.probe == nil:
	case opening && l.probe.webSocket:
		l.probe.write(appendFrame(nil, packet{text: "2probe"}))
	case p != nil && p.text == "3probe":
		l.probed = true
	case !ok && l.probe.closed():
		l.dropProbe()
		return true
	}
	return ok
}

// dropProbe ends a failed upgrade. Polling continues.
func (l *link) dropProbe() {
	l.probe.cut()
	l.probe, l.probed = nil, false
	l.flush()
}

// takeOver ends polling.
func (l *link) takeOver() {
	l.ws, l.probe, l.probed = l.probe, nil, false
	l.ws.write(appendFrame(nil, packet{text: "5"}))
	for _, w := range []*wire{l.get, l.post} {
		w.cut()
	}
	l.get, l.post = nil, nil
	l.flush()
}

// readPost reads the answer to a POST.
func (l *link) readPost() bool {
	r, body, err := l.post.response()
	switch {
	case err != nil:
		l.end(reasonParse)
	case r == nil && l.post.busy && l.post.closed():
		l.end(reasonTransport)
	case r == nil:
		return false
	case r.StatusCode != http.StatusOK:
		l.refused(r, body)
	default:
		l.flush()
	}
	return true
}

// pollMore reads the answer to a GET, or sends the next one.
func (l *link) pollMore() bool {
	if l.ws != nil {
		return false
	}
	if l.get != nil && l.get.busy {
		return l.readGet()
	}
	if l.probed || l.sid == "" {
		return false
	}
	l.fetch()
	return true
}

func (l *link) readGet() bool {
	r, body, err := l.get.response()
	switch {
	case err != nil:
		l.end(reasonParse)
	case r == nil && l.get.closed():
		l.end(reasonTransport)
	case r == nil:
		return false
	case r.StatusCode != http.StatusOK:
		l.refused(r, body)
	default:
		for p := eio.NewPayload(body, len(body)+1); ; {
			pkt, ok, err := p.Next()
			if err != nil {
				l.end(reasonParse)
			}
			if err != nil || !ok {
				break
			}
			if pkt.Binary {
				l.in = append(l.in, packet{binary: append([]byte{}, pkt.Data...)})
			} else {
				l.in = append(l.in, packet{text: string(rune(pkt.Type)) + string(pkt.Data)})
			}
		}
	}
	return true
}

// wideLimits accept anything that a server sends.
var wideLimits = sio.Limits{Attachments: 1 << 20, AttachmentBytes: 1 << 30, Depth: sio.MaxDepth, Namespace: 1 << 20, Args: 1 << 20}

// handle handles one packet.
func (l *link) handle(p packet) {
	if p.binary != nil {
		done, err := l.asm.Add(p.binary, &wideLimits)
		if err != nil {
			l.end(reasonParse)
		} else if done {
			got, attachments := l.asm.Take()
			l.dispatch(&got, attachments)
		}
		return
	}
	pkt, err := eio.ParseText([]byte(p.text))
	if err != nil {
		l.end(reasonParse)
		return
	}
	switch pkt.Type {
	case eio.Open:
		l.opened(pkt.Data)
	case eio.Ping:
		if l.pongs {
			l.send(packet{text: string(rune(eio.Pong)) + string(pkt.Data)})
		}
	case eio.Close:
		l.end(reasonClose)
	case eio.Message:
		var got sio.Packet
		if err := sio.Parse(pkt.Data, &wideLimits, &got); err != nil {
			l.end(reasonParse)
		} else if got.Attachments > 0 {
			l.asm.Begin(pkt.Data, &got)
		} else {
			l.dispatch(&got, nil)
		}
	}
}

// dispatch passes a packet to the socket of its namespace.
func (l *link) dispatch(p *sio.Packet, attachments [][]byte) {
	for _, c := range l.sockets {
		if c.ns == string(p.Namespace) {
			c.receive(p, attachments)
			return
		}
	}
}
